# bash completion of mayfly, ingestd, relayd and hubd.

# Prints the directories of this host of one kind (log, status), as far as this user may read them.
_mayfly_directories() {
  mayfly ls "$1" --json 2>/dev/null | sed -n 's/.*"directory":"\([^"]*\)".*/\1/p'
}

# The flags of one command of mayfly.
_mayfly_flags() {
  local globals='--runtime-dir --segment --url --json --raw --help'
  case $1 in
    up) echo "$globals --config --hub-config --hub-url --memory --workers --ingest-port --redis-port --relay-port
      --hub-port --no-demo --no-hub --socket-mode --socket-group" ;;
    down) echo "$globals --purge" ;;
    tail) echo "$globals -n --last -f --follow --since --grep" ;;
    inspect) echo "$globals --verify --records" ;;
    top) echo "$globals --interval --rounds" ;;
    load) echo "$globals --kind --dialect --threads --connections --keys --directories --size --rate --seconds --records --batch --prefix" ;;
    add-server) echo "--config --tripcode --help" ;;
    add-user) echo "--config --right --help" ;;
    add-scraper-key) echo "--config --days --right --help" ;;
    "") echo "$globals --version" ;;
    *) echo "$globals" ;;
  esac
}

_mayfly_daemon_flags() {
  local common='--config --log-level --version --help'
  case $1 in
    ingestd) echo "$common --runtime-dir --peer-dir --memory --workers --ingest --redis --ingest-unix --unix-mode
      --unix-group --lock-memory" ;;
    relayd) echo "$common --runtime-dir --peer-dir --relay --relay-unix --hub-url --name --api-key-file --print-tripcode --lock-memory" ;;
    hubd) echo "$common --listen --server --check --drop-in --lock-memory" ;;
  esac
}

# The values that `flag` takes; fails where it takes none of a known form.
_mayfly_flag_value() {
  case $1 in
    --config | --hub-config | --segment | --drop-in | --api-key-file | --ingest-unix | --relay-unix) compgen -f -- "$2" ;;
    --runtime-dir | --peer-dir) compgen -d -- "$2" ;;
    --log-level) compgen -W 'trace debug info warning error critical off' -- "$2" ;;
    --kind) compgen -W 'log status' -- "$2" ;;
    --dialect) compgen -W 'resp inline redis' -- "$2" ;;
    --ingest-port | --redis-port | --relay-port | --hub-port) compgen -W 'none 0' -- "$2" ;;
    --socket-group | --unix-group) compgen -g -- "$2" ;;
    --url | --hub-url | --memory | --workers | --socket-mode | --unix-mode | --last | -n | --since | --grep | --interval | \
      --rounds | --connections | --keys | --directories | --size | --rate | --seconds | --records | --batch | --prefix | \
      --tripcode | --right | --days | --ingest | --redis | --relay | --listen | --server | --name) ;;
    *) return 1 ;;
  esac
}

_mayfly() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]##*/}
  local command='' place=0 i values
  COMPREPLY=()
  if [[ $previous == -* ]] && values=$(_mayfly_flag_value "$previous" "$word"); then
    [[ -z $values ]] || mapfile -t COMPREPLY <<<"$values"
    return
  fi
  if [[ $program != mayfly ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_mayfly_daemon_flags "$program")" -- "$word")
    return
  fi
  # The command, and how many of its arguments stand before the cursor.
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ ${COMP_WORDS[i]} == -* ]]; then
      _mayfly_flag_value "${COMP_WORDS[i]}" '' >/dev/null && ((++i))
    elif [[ -z $command || ($command == hub && ${COMP_WORDS[i]} == add-*) ]]; then
      command=${COMP_WORDS[i]}
    else
      ((++place))
    fi
  done
  if [[ $word == -* ]]; then
    values=$(_mayfly_flags "$command")
  else
    case $command:$place in
      :0) values='up down log set unset status ls get tail inspect top doctor load hub' ;;
      hub:0) values='add-server add-user add-scraper-key' ;;
      ls:0) values='log status' ;;
      log:0 | tail:0) values=$(_mayfly_directories log) ;;
      set:0 | unset:0 | get:0) values=$(_mayfly_directories status) ;;
      inspect:0) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
      *) return ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
}

complete -F _mayfly mayfly ingestd relayd hubd
