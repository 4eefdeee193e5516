"""Weir beside other model servers: the same model, the same rows, the same load, one core for the
server and another for the load. Each peer takes turns with a Weir of its own, so that each round
gives one number of both and ratios are taken within it. Answers are checked before anything is
measured. Shown: medians over the rounds and, for ratios, a 95 % interval of the median.

The servers live in a network of their own without a way out, where the kernel lets us make one.
"""
import argparse
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
import load  # noqa: E402 (the bench next door)
import measure  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402

STARTS = 3


def say(text):
    print(text if len(text) <= 100 else text[:99] + "…", flush=True)


def leave_the_network():
    """A network namespace with a loopback interface and nothing else: no server is reached from
    outside, none calls home. True where the kernel allows it."""
    new_user, new_network = 0x10000000, 0x40000000
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(new_network | (0 if user == 0 else new_user)) != 0:
        return False
    if user != 0:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    set_flags, up_and_running = 0x8914, 0x41
    with socket.socket() as s:
        fcntl.ioctl(s, set_flags, struct.pack("16sh14x", b"lo", up_and_running))
    return True


def measure_round(server, rates, seconds):
    """One of each number; `rates` are those of the closed loop so far."""
    numbers = {"one": server.closed_loop(1, seconds)}
    rates.append(numbers["one"]["rate"])
    numbers["half"] = server.open_loop(load.median(rates) / 2, seconds)
    if server.peer.has_model:
        numbers["hundred"] = server.closed_loop(100, seconds, connections=4)
    return numbers


def measure_curve(server, rate, seconds):
    return [{"share": share, **server.open_loop(share * rate, seconds)} for share in measure.CURVE]


def describe(server):
    return {"what": server.peer.what, "version": server.peer.version(server.url),
            "command": server.argv}


def start(peer, folder, side):
    """Started several times, which is measured; the last one stays."""
    for again in range(STARTS):
        server = measure.Server(peer, folder)
        side["start_s"].append(server.start_s)
        if again + 1 < STARTS:
            server.stop()
    side["memory_ready_mb"] = server.memory_mb()
    return server


def measure_pair(peer, options, with_curve_of_weir):
    """A peer and a Weir in turns: {"weir": side, "peer": side}."""
    sides = {name: {"start_s": [], "rounds": []} for name in ("weir", "peer")}
    servers = {}
    try:
        weir = peers.Weir(options.work)
        servers["weir"] = start(weir, options.work / "run/weir", sides["weir"])
        if isinstance(peer, peers.Nginx):
            peer.answer = load.post(servers["weir"].url, weir.body(load.ROWS[:1]))
        servers["peer"] = start(peer, options.work / "run" / peer.name, sides["peer"])
        for name, server in servers.items():
            sides[name].update(describe(server), distance=server.check_all())
            server.closed_loop(1, 1)  # Warm.
        take_turns(servers, sides, options)
        for name, server in servers.items():
            sides[name]["memory_loaded_mb"] = server.memory_mb()
            if name == "peer" or with_curve_of_weir:
                rate = load.median([r["one"]["rate"] for r in sides[name]["rounds"]])
                sides[name]["curve"] = measure_curve(server, rate, options.seconds)
    finally:
        for server in servers.values():
            server.stop()
    return sides


def take_turns(servers, sides, options):
    rates = {name: [] for name in servers}
    peer = servers["peer"].peer
    for number in range(options.rounds):
        for name in sorted(servers, reverse=number % 2 == 0):
            numbers = measure_round(servers[name], rates[name], options.seconds)
            if peer.has_grpc:
                numbers["grpc"] = servers[name].grpc(options.seconds)
            sides[name]["rounds"].append(numbers)
        if isinstance(peer, peers.Nginx):
            sides["peer"]["rounds"][-1]["raw_us"] = {
                str(rows): load.raw_run_us(rows) for rows in (1, 100)}
        say(f"  round {number + 1} of {options.rounds}: " + ", ".join(
            f"{'weir' if name == 'weir' else peer.name} {rates[name][-1]:,.0f}/s"
            for name in servers))


def machine():
    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line]
    return {"cpu": cpu[0] if cpu else "?", "cores": os.cpu_count(),
            "load_before": os.getloadavg()[0], "time": time.strftime("%F %T %z"),
            "kernel": os.uname().release}


def choose(options):
    known = {peer.name: peer(options.work) for peer in peers.PEERS}
    if not options.peer:
        return [peer for peer in known.values() if not (options.install and peer.is_big)]
    names = options.peer.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"bench/compare: no peer '{unknown[0]}'; known are {', '.join(known)}")
    return [known[name] for name in names]


def install(chosen):
    for peer in chosen:
        begin = time.monotonic()
        try:
            peer.install()
            say(f"{peer.name}: ready to run ({time.monotonic() - begin:.0f} s)")
        except (OSError, RuntimeError) as error:
            say(f"{peer.name}: {error}")


def list_peers(chosen):
    for peer in [peers.Weir(chosen[0].work), *chosen]:
        print(f"{peer.name:23} {peer.missing() or peer.version()}\n{'':23} {peer.what}")


def run_all(chosen, options):
    result = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds,
              "command": " ".join(["bench/compare/run", *sys.argv[1:]]),
              "own_network": leave_the_network(), "pairs": {}, "left_out": {}}
    os.sched_setaffinity(0, {int(load.LOAD_CORE)})
    has_curve = False
    for place, peer in enumerate(chosen, 1):
        say(f"[{place}/{len(chosen)}] {peer.name}: {peer.what}")
        begin = time.monotonic()
        why = peer.missing()
        if not why:
            try:
                pair = measure_pair(peer, options, not has_curve)
                has_curve = True
                result["pairs"][peer.name] = pair
                say(f"  {pair['peer']['version']}")
                say(f"  {' '.join(pair['peer']['command'])}")
                say(f"  {report.one_line(pair)}; {time.monotonic() - begin:.0f} s")
            except (Exception, SystemExit) as error:  # One peer's trouble is not the others'.
                why = f"{type(error).__name__}: {error}"
        if why:
            result["left_out"][peer.name] = why
            say(f"  left out: {why}")
        (options.out / "compare.json").write_text(json.dumps(result, indent=1))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="bench/compare/run")
    parser.add_argument("--peer", help="NAME,… (all that are installed)")
    parser.add_argument("--rounds", type=int, default=9, help="(9)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per number and round (2)")
    parser.add_argument("--install", action="store_true", help="install the peers before the run")
    parser.add_argument("--list", action="store_true", help="what is installed, and nothing else")
    parser.add_argument("--work", type=pathlib.Path, help="folder of what is installed "
                        "(build/compare, or the variable WEIR_COMPARE_WORK)",
                        default=os.environ.get("WEIR_COMPARE_WORK", load.SOURCE / "build/compare"))
    parser.add_argument("--out", type=pathlib.Path, help="folder of the results (WORK/out)")
    parser.add_argument("--docs", action="store_true",
                        help="write the tables and plots into docs/ too")
    parser.add_argument("--from", dest="source", type=pathlib.Path, metavar="compare.json",
                        help="tables and plots of an earlier run; measures nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # The servers are stopped then too.
    options.work = pathlib.Path(options.work).resolve()
    options.out = (options.out or options.work / "out").resolve()
    chosen = choose(options)
    if options.list:
        return list_peers(chosen)
    if options.install:
        install(chosen)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.source:
        result = json.loads(options.source.read_text())
    else:
        if peers.Weir(options.work).missing():
            sys.exit(f"bench/compare: {peers.Weir(options.work).missing()}")
        result = run_all(chosen, options)
        if not result["left_out"]:  # Else the logs say why.
            shutil.rmtree(options.work / "run", ignore_errors=True)
    if not result["pairs"]:
        sys.exit("bench/compare: nothing was measured")
    for path in report.write(result, options.out, load.SOURCE / "docs" if options.docs else None):
        say(f"wrote {path}")


if __name__ == "__main__":
    main()
