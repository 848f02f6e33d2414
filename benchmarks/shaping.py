# SPDX-License-Identifier: Apache-2.0
"""Links of a given rate and delay between the two parties of benchmarks/run: by netem, by two TUN devices, or by a relay."""
import json
import os
import signal
import socket
import subprocess

PORT = 7440
RECEIVER, SENDER = "10.77.0.1", "10.77.0.2"
ETHERNET = 14  # bytes of its header, which tc counts too


class LinkFailed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise LinkFailed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Shaping:
    """The network of a whole benchmark. kind is netem, tun or relay; namespaces are those of receiver and sender."""

    def __init__(self, kind, build):
        self.program = os.path.join(build, "benchmarks", "link")
        self.namespaces = []
        self.process = None
        self.kind = kind
        if kind == "relay":
            return
        may = os.geteuid() == 0 and os.path.exists("/dev/net/tun" if kind == "tun" else "/proc/self/ns/net")
        try:
            if not may:
                raise LinkFailed("network namespaces need root")
            self.make_namespaces()
            if kind == "auto":
                self.kind = "netem" if self.has_netem() else "tun" if os.path.exists("/dev/net/tun") else "relay"
            elif kind == "netem" and not self.has_netem():
                raise LinkFailed("this kernel has no netem (sch_netem)")
        except (LinkFailed, OSError) as e:
            self.close()
            if kind != "auto":
                raise LinkFailed(f"--shaping {kind}: {e}; --shaping relay needs no rights") from e
            self.kind = "relay"
        if self.kind == "relay":
            self.close()

    def make_namespaces(self):
        for side in ("receiver", "sender"):
            name = f"tally-bench-{os.getpid()}-{side}"
            ip("netns", "add", name)
            self.namespaces.append(name)
            # Else the kernel remembers from one run what the line was like and starts the next one with it.
            subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"], check=True)

    def has_netem(self):
        command = ["tc", "-n", self.namespaces[0], "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        try:
            tried = subprocess.run(command, capture_output=True).returncode == 0
        except FileNotFoundError:
            return False
        if tried:
            command[4] = "del"
            subprocess.run(command[:8], capture_output=True)
        return tried

    def start(self, link):
        """Puts up a link; returns (namespace of the receiver, of the sender, where the sender listens, where the receiver connects)."""
        if not link.rate:
            at = f"127.0.0.1:{free_port()}"
            return "-", "-", at, at
        delay = str(round(link.round_trip * 1e6 / 2))
        if self.kind == "relay":
            listen, connect = free_port(), free_port()
            self.start_program("relay", str(listen), str(connect), str(link.rate), delay)
            return "-", "-", f"127.0.0.1:{connect}", f"127.0.0.1:{listen}"
        if self.kind == "tun":
            self.start_program("tun", *self.namespaces, str(link.rate), delay)
        else:
            self.start_netem(link, delay)
        return *self.namespaces, f"{SENDER}:{PORT}", f"{SENDER}:{PORT}"

    def start_program(self, *arguments):
        # A session of its own: an interrupt from the terminal is for us.
        self.process = subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True)
        if self.process.stdout.readline() != "ready\n":
            raise LinkFailed("the link did not start")

    def start_netem(self, link, delay):
        receiver, sender = self.namespaces
        ip("link", "add", "link", "netns", receiver, "type", "veth", "peer", "name", "link", "netns", sender)
        queue = max(4 * link.rate / 8 * link.round_trip, 262144)
        packets = str(int(queue / 1500) + 1)
        for namespace, address in ((receiver, RECEIVER), (sender, SENDER)):
            ip("-n", namespace, "address", "add", address + "/24", "dev", "link")
            ip("-n", namespace, "link", "set", "link", "up")
            done = subprocess.run(["tc", "-n", namespace, "qdisc", "add", "dev", "link", "root", "netem", "delay", delay + "us",
                                   "rate", f"{link.rate}bit", "limit", packets], capture_output=True, text=True)
            if done.returncode:
                raise LinkFailed(f"tc in {namespace}: {done.stderr.strip()}")

    def netem_bytes(self, namespace):
        shown = subprocess.run(["tc", "-n", namespace, "-s", "-j", "qdisc", "show", "dev", "link"], capture_output=True, text=True)
        counted = json.loads(shown.stdout)[0]
        return counted["bytes"] - ETHERNET * counted["packets"]

    def stop(self, link):
        """Takes the link down; returns the bytes it carried, None where they are not known."""
        wire = {"to_sender": None, "to_receiver": None}
        if link.rate and self.kind == "netem":
            receiver, sender = self.namespaces
            wire = {"to_sender": self.netem_bytes(receiver), "to_receiver": self.netem_bytes(sender)}
            ip("-n", receiver, "link", "del", "link")
        elif self.process:
            self.process.send_signal(signal.SIGTERM)
            text, _ = self.process.communicate(timeout=10)
            status, self.process = self.process.returncode, None
            if status:
                raise LinkFailed(f"the link ended with status {status}")
            if self.kind == "tun":  # a relay sees no packets
                counted = json.loads(text)
                wire = {"to_sender": counted["to_2"], "to_receiver": counted["to_1"]}
        return wire

    def abandon(self):
        """Takes down the link of a run that failed, whatever its state."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None
        if self.kind == "netem":
            for namespace in self.namespaces:
                subprocess.run(["ip", "-n", namespace, "link", "del", "link"], capture_output=True)

    def close(self):
        """Ends what is still there; may be called at any time."""
        self.abandon()
        while self.namespaces:
            subprocess.run(["ip", "netns", "del", self.namespaces.pop()], capture_output=True)
