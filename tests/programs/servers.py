# SPDX-License-Identifier: MIT
"""Programs with a server of their own: PulseAudio, PostgreSQL, Chromium. Each server is private: a
socket in the folder of the run, or a port of the loopback interface. Table at the end; used by
scripts/programs.py."""

import array
import glob
import http.server
import os
import random
import re
import shutil
import signal
import threading
import wave

HERE = os.path.dirname(os.path.abspath(__file__))

# ---------------------------------------------------------------- PulseAudio

RATE = 44100
SOUND_SECONDS = 3
LEAD = RATE // 2  # a null sink's monitor misses what comes while it is still told to be idle


def write_sound(path):
    """Noise that is the same each time, and of which no part occurs twice."""
    random.seed(11588)
    samples = array.array("h", (random.randrange(-12000, 12000)
                                for _ in range(RATE * SOUND_SECONDS)))
    with wave.open(path, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return samples


def heard(place, samples):
    """How many samples after the lead came out of the sink unchanged and without a gap."""
    with open(place.path("record.out"), "rb") as stream:
        data = stream.read()
    want = samples[LEAD:].tobytes()
    at = data.find(want[:256])
    if at < 0:
        return 0
    got = data[at:at + len(want)]
    same = 0
    while same < len(got) and got[same:same + 2] == want[same:same + 2]:
        same += 2
    return same // 2


def pulseaudio(player):
    """A server with a null sink; `player` plays a file into it, its monitor is recorded."""
    def run(place):
        samples = write_sound(place.path("sound.wav"))
        socket = place.path("native")
        env = {"PULSE_SERVER": "unix:" + socket, "PULSE_COOKIE": place.path("cookie")}
        server = place.start("server", [
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
            "--log-target=stderr",
            "-L", f"module-null-sink sink_name=null format=s16le rate={RATE} channels=1",
            "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"])
        place.until(lambda: os.path.exists(socket) or server.poll() is not None, "the server")
        place.check("the server runs", server.poll() is None)
        record = place.start("record", ["parec", "-d", "null.monitor", "--raw", "--format=s16le",
                                        f"--rate={RATE}", "--channels=1",
                                        "--latency-msec=50"], env=env)
        place.until(lambda: os.path.getsize(place.path("record.out")) > 0, "the recording")
        status = place.wait(place.start("player", player, env=env), 20)
        place.check("the player's exit status is 0", status == 0)
        wanted = len(samples) - LEAD
        place.until(lambda: heard(place, samples) == wanted or settled(place),
                    "the end of the sound", 10)
        record.send_signal(signal.SIGTERM)
        place.wait(record, 10)
        count = heard(place, samples)
        place.check(f"{count} of {wanted} samples were recorded as they were played",
                    count == wanted)
        server.send_signal(signal.SIGTERM)
        place.check("the server ends when told", place.wait(server, 10) == 0)
    return run


def settled(place):
    """The recording has gone on for seconds more than the sound lasts."""
    return os.path.getsize(place.path("record.out")) > 2 * RATE * (SOUND_SECONDS + 6)


# ---------------------------------------------------------------- PostgreSQL

PGBENCH_SECONDS = 6


def postgres_folder():
    """Debian keeps each version's programs apart. The newest, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    return os.path.dirname(max(found, key=lambda p: int(p.split("/")[4]))) if found else None


def number(text, pattern):
    match = re.search(pattern, text)
    return float(match.group(1)) if match else -1


def postgresql(place):
    tools, user = postgres_folder(), "nobody"
    home = place.give_to(user, "pg")
    data = os.path.join(home, "data")
    common = ["-h", home, "-U", "tester"]
    status, _ = place.run("initdb", [f"{tools}/initdb", "-D", data, "-U", "tester", "-A", "trust",
                                     "--no-sync", "-E", "UTF8", "--locale=C"], user)
    place.check("initdb: exit status 0", status == 0)
    server = place.start("server", [f"{tools}/postgres", "-D", data, "-k", home, "-c",
                                    "listen_addresses=", "-c", "fsync=off"], user)
    place.until(lambda: os.path.exists(os.path.join(home, ".s.PGSQL.5432")) or
                server.poll() is not None, "the server")
    place.until(lambda: place.run("ready", [f"{tools}/pg_isready", *common])[0] == 0 or
                server.poll() is not None, "the server")
    status, _ = place.run("fill", [f"{tools}/pgbench", *common, "-i", "-q", "-s", "2", "postgres"])
    place.check("pgbench -i: exit status 0", status == 0)
    status, out = place.run("pgbench", [f"{tools}/pgbench", *common, "-c", "6", "-j", "3", "-T",
                                        str(PGBENCH_SECONDS), "postgres"])
    done = int(number(out, r"actually processed: (\d+)"))
    place.check("pgbench: exit status 0", status == 0)
    place.check(f"{done} transactions", done > 0)
    place.check("none failed", number(out, r"failed transactions: (\d+)") == 0)
    place.measured(number(out, r"tps = ([\d.]+)"), "transactions/s")
    query = ("select (select sum(abalance) from pgbench_accounts) = s and "
             "(select sum(bbalance) from pgbench_branches) = s and "
             "(select sum(tbalance) from pgbench_tellers) = s, n "
             "from (select sum(delta) s, count(*) n from pgbench_history) h")
    _, out = place.run("psql", [f"{tools}/psql", *common, "-At", "-c", query, "postgres"])
    place.check("all balances agree with the history, which has every transaction",
                out.strip() == f"t|{done}")
    server.send_signal(signal.SIGINT)
    place.check("the server shuts down", place.wait(server, 20) == 0)


# ---------------------------------------------------------------- Chromium

WANTED = ["primes below 100000: 9592", "messages: 500", "compressed and back: kept for later",
          "rendered: 44100 samples, peak 1.0", "<title>all done</title>"]


class Pages(http.server.BaseHTTPRequestHandler):
    """The page, and an image that is not answered before the page has done its work."""

    done = threading.Event()

    def do_GET(self):  # a name that http.server asks for
        body, kind = b"", "text/plain"
        if self.path == "/":
            kind = "text/html"
            with open(os.path.join(HERE, "page.html"), "rb") as stream:
                body = stream.read()
        elif self.path == "/done":
            Pages.done.set()
        elif self.path == "/hold":
            Pages.done.wait(50)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):  # a browser that is through hangs up
        pass


def chromium(place):
    Pages.done.clear()
    server = Server(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        status, out = place.run("chromium", [
            shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            "--user-data-dir=" + place.path("profile"), "--dump-dom",
            f"http://127.0.0.1:{server.server_address[1]}/"])
    finally:
        Pages.done.set()
        server.shutdown()
        server.server_close()
    place.check("exit status 0", status == 0)
    for text in WANTED:
        place.check(f"the document says: {text}", text in out)


SOX = ["sox", "-q", "sound.wav", "-t", "pulseaudio", "null"]

# name: (Debian package, what runs, limit in seconds, names of the running files, function)
TABLE = {
    "pulseaudio-paplay": ("pulseaudio", "null sink; paplay plays a file, parec records it", 60,
                          ["pulseaudio", "pacat"],
                          pulseaudio(["paplay", "-d", "null", "sound.wav"])),
    "pulseaudio-sox": ("sox", "the same, played by sox from a threaded main loop", 60,
                       ["pulseaudio", "pacat", "sox"], pulseaudio(SOX)),
    "postgresql": ("postgresql-15", "initdb, server, pgbench with 6 clients, shutdown", 90,
                   ["postgres", "pgbench", "initdb", "psql"], postgresql),
    "chromium": ("chromium", "headless: workers, streams and sound in a page", 90,
                 ["chromium"], chromium),
}
