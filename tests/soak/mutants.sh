#!/usr/bin/env bash
# One seeded fault after the other in a copy of the segment code: which test notices? An hour or more.
set -euo pipefail
exec /usr/bin/env PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "${BASH_SOURCE[0]}")/../mutants/run.py"
