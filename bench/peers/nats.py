"""nats-server: the core, which stores nothing, and JetStream in memory."""

import base64
import json
import socket

from servers import DEADLINE_S, PeerError, Server, free_port, get

STREAMS = {
    "nats": {"name": "MANY", "subjects": ["bench.>"], "max_msgs_per_subject": 1},
    "nats-one": {"name": "ONE", "subjects": ["one.subject"], "max_msgs": 2048},
}
COMMON = {"storage": "memory", "retention": "limits", "discard": "old", "num_replicas": 1}


class Nats(Server):
    name = "nats-server"

    def __init__(self, programs, core: int) -> None:
        super().__init__(programs, core)
        self.monitor = free_port()

    def command(self) -> list[str]:
        return [self.program("nats-server"), "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor)]

    def count(self, peer) -> int:
        """Messages taken; those of this program's own connections are counted, too, a few."""
        return json.loads(get(f"http://127.0.0.1:{self.monitor}/varz"))["in_msgs"]

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        return {}


class JetStream(Nats):
    name = "nats-server, JetStream"

    def command(self) -> list[str]:
        return [*super().command(), "-js", "-sd", str(self.folder)]

    def start(self) -> None:
        super().start()
        for stream in STREAMS.values():
            answer = self.request([(f"$JS.API.STREAM.CREATE.{stream['name']}", COMMON | stream)])[0]
            if "error" in answer:
                raise PeerError(f"JetStream: {answer['error']}")

    def request(self, requests: list[tuple[str, dict]]) -> list[dict]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as one, one.makefile("rb") as file:
            file.readline()
            one.sendall(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n')
            answers = []
            for subject, body in requests:
                payload = json.dumps(body).encode()
                one.sendall(f"PUB {subject} answer {len(payload)}\r\n".encode() + payload + b"\r\n")
                line = file.readline()
                while not line.startswith(b"MSG "):
                    line = file.readline()
                answers.append(json.loads(file.read(int(line.split()[-1]) + 2)))
            return answers

    def stream(self, peer) -> str:
        return STREAMS[peer.format]["name"]

    def count(self, peer) -> int:
        return self.request([(f"$JS.API.STREAM.INFO.{self.stream(peer)}", {})])[0]["state"]["last_seq"]

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        if peer.format == "nats-one":
            return self.values_of_one(peer)
        subject = f"$JS.API.STREAM.MSG.GET.{self.stream(peer)}"
        answers = self.request([(subject, {"last_by_subj": "bench." + key.decode()}) for key in keys])
        return {key: base64.b64decode(answer["message"]["data"]) for key, answer in zip(keys, answers)
                if "message" in answer}

    def values_of_one(self, peer) -> dict[bytes, bytes]:
        state = self.request([(f"$JS.API.STREAM.INFO.{self.stream(peer)}", {})])[0]["state"]
        subject = f"$JS.API.STREAM.MSG.GET.{self.stream(peer)}"
        found = {}
        for answer in self.request([(subject, {"seq": seq}) for seq in range(state["first_seq"], state["last_seq"] + 1)]):
            record = base64.b64decode(answer["message"]["data"])
            found[record[:16]] = record[16:]
        return found
