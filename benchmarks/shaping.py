# SPDX-License-Identifier: Apache-2.0
"""Links of a given rate and delay between the two parties of benchmarks/run: by netem, by two TUN devices, or by a relay."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess

PORT = 7440
RECEIVER, SENDER = "10.77.0.1", "10.77.0.2"
DEVICE = "bench0"  # of netem; ip takes some names, such as link, for its own words
ETHERNET = 14  # bytes of its header, which tc counts too
PACKET, QUEUE_LEAST = 1500, 256 * 1024
NAMESPACES = "/run/netns"
# The kernel remembers from one run what the line was like and starts the next one with it; IPv6 looks for neighbours and routers
# by itself, bytes that no party sent.
SETTINGS = """echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save
[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"""


class LinkFailed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(*command):
    """What ip or tc prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LinkFailed(f"there is no command {command[0]}; install iproute2 ('make deps')") from None
    if done.returncode:
        raise LinkFailed(f"{' '.join(command)}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def attempt(*command):
    """Takes away what may be there or not."""
    with contextlib.suppress(OSError):
        subprocess.run(command, capture_output=True)


def all_namespaces():
    return os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else []


def remove_stale():
    """Removes the namespaces of benchmarks that were killed."""
    for name in all_namespaces():
        owner = re.fullmatch(r"tally-bench-(\d+)-(?:receiver|sender)", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            attempt("ip", "netns", "del", name)


class Shaping:
    """The network of a whole benchmark. kind is netem, tun or relay; namespaces are those of receiver and sender."""

    def __init__(self, kind, build):
        self.program = os.path.join(build, "benchmarks", "link")
        self.namespaces = []
        self.process = None
        self.kind = kind

    def open(self):
        """Makes what lasts for all links; returns why auto fell back on a relay, None if it did not. close() takes it away, also after a failure."""
        if self.kind == "relay":
            return None
        try:
            if os.geteuid() != 0:
                raise LinkFailed("network namespaces need root")
            self.make_namespaces()
            if self.kind == "netem":
                self.try_netem()
            else:
                self.try_tun()
                self.kind = "tun"
        except LinkFailed as e:
            self.close()
            if self.kind != "auto":
                raise LinkFailed(f"--shaping {self.kind}: {e}; --shaping relay needs no rights") from e
            self.kind = "relay"
            return str(e)
        return None

    def make_namespaces(self):
        remove_stale()
        for side in ("receiver", "sender"):
            name = f"tally-bench-{os.getpid()}-{side}"
            self.namespaces.append(name)
            call("ip", "netns", "add", name)
            call("ip", "netns", "exec", name, "sh", "-ec", SETTINGS)

    def try_netem(self):
        device = ["tc", "-n", self.namespaces[0], "qdisc"]
        try:
            call(*device, "add", "dev", "lo", "root", "netem", "delay", "1ms")
        except LinkFailed as e:
            raise LinkFailed(f"netem (sch_netem) does not work here: {e}") from None
        call(*device, "del", "dev", "lo", "root")

    def try_tun(self):
        self.start_program("tun", *self.namespaces, "0", "0")
        self.stop_program()

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
        self.process = subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        if self.process.stdout.readline() != "ready\n":
            _, said = self.process.communicate(timeout=10)
            self.process = None
            raise LinkFailed(f"the link did not start: {said.strip() or 'it says nothing'}")

    def stop_program(self):
        """Returns what it prints at its end."""
        self.process.send_signal(signal.SIGTERM)
        text, said = self.process.communicate(timeout=10)
        status, self.process = self.process.returncode, None
        if status:
            raise LinkFailed(f"the link ended with status {status}: {said.strip() or 'it says nothing'}")
        return text

    def start_netem(self, link, delay):
        receiver, sender = self.namespaces
        call("ip", "link", "add", DEVICE, "netns", receiver, "type", "veth", "peer", "name", DEVICE, "netns", sender)
        # netem counts the packets under way too: half of the product, which is of the round trip.
        product = link.rate / 8 * link.round_trip
        packets = str(int((max(2 * product, QUEUE_LEAST) + product / 2) / PACKET) + 1)
        for namespace, address in ((receiver, RECEIVER), (sender, SENDER)):
            call("ip", "-n", namespace, "address", "add", address + "/24", "dev", DEVICE)
            # Without segmentation offload: a packet of the limit is then one of the line.
            call("ip", "-n", namespace, "link", "set", "dev", DEVICE, "up", "gso_max_segs", "1")
            call("tc", "-n", namespace, "qdisc", "add", "dev", DEVICE, "root", "netem", "delay", delay + "us",
                 "rate", f"{link.rate}bit", str(-ETHERNET), "limit", packets)

    def netem_bytes(self, namespace):
        counted = json.loads(call("tc", "-n", namespace, "-s", "-j", "qdisc", "show", "dev", DEVICE))[0]
        return counted["bytes"] - ETHERNET * counted["packets"]

    def stop(self, link):
        """Takes the link down; returns the bytes it carried, None where they are not known."""
        wire = {"to_sender": None, "to_receiver": None}
        if link.rate and self.kind == "netem":
            receiver, sender = self.namespaces
            wire = {"to_sender": self.netem_bytes(receiver), "to_receiver": self.netem_bytes(sender)}
            call("ip", "-n", receiver, "link", "del", "dev", DEVICE)
        elif self.process:
            text = self.stop_program()
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
                attempt("ip", "-n", namespace, "link", "del", "dev", DEVICE)

    def close(self):
        """Ends what is still there; may be called at any time."""
        self.abandon()
        while self.namespaces:
            attempt("ip", "netns", "del", self.namespaces.pop())
