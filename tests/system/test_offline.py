"""Only `data fetch` and `reproduce --wflw` open network connections."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "models", "decoders", "reports")

#: Modules that can open a connection; only harness/fetch may import them. Dependencies may (psutil imports socket).
NET = {"aiohttp", "ftplib", "gdown", "http", "httpx", "huggingface_hub", "pooch", "requests", "smtplib", "socket",
       "socketserver", "ssl", "urllib3", "webbrowser", "xmlrpc"}  # fmt: skip

#: An audit hook that logs every connection of the interpreter, from any library, and refuses it.
HOOK = """
import sys
def _hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind"):
        address = arguments[1] if event.startswith(("socket.connect", "socket.sendto", "socket.bind")) else arguments[0]
        if isinstance(address, (str, bytes)) and event in ("socket.connect", "socket.bind"):
            return  # a Unix socket between processes of this machine
        if event == "socket.bind" and address[:2] == ("::1", 0):
            return  # urllib3 tests for IPv6 when it is imported
        import traceback
        where = [f.filename for f in traceback.extract_stack()[:-1] if not f.filename.startswith("<")]
        with open({log!r}, "a") as file:
            file.write(f"{{event}} {{address}} by {{' > '.join(where[-12:])}}\\n")
        if {refuse}:
            raise PermissionError(f"connection refused by the test: {{event}} {{address}}")
sys.addaudithook(_hook)
"""


def imported(path: Path) -> set[str]:
    """Top-level modules that a source file imports anywhere; `urllib.request` by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {name.partition(".")[0] for name in names} | {name for name in names if name.startswith("urllib")}
    return found


def test_only_fetch_imports_network_modules():
    seen = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            hits = imported(path) & (NET | {"urllib.request"})
            if hits:
                seen[str(path.relative_to(ROOT))] = hits
    assert seen, "no file was found"
    assert all(name.startswith("harness/fetch/") for name in seen), seen


def test_no_code_downloads_pretrained_weights():
    """timm downloads with pretrained=True or a hub name, torch with load_state_dict_from_url."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg and node.arg.startswith("pretrained"):
                    assert isinstance(node.value, ast.Constant), (path, node.value)
                    assert not node.value.value, (path, node.value.value)
                if isinstance(node, ast.Attribute):
                    assert node.attr not in ("load_state_dict_from_url", "hub", "from_pretrained"), (path, node.attr)


RECIPE = """
name = "tiny"
model = "hrnetv2-w18"
workers = 0
[train]
source = "synthface"
faces = 4
seed = 1
[[stages]]
epochs = 1
size = 64
batch = 4
lr = 1e-3
[optimiser]
warmup_steps = 1
[loss]
sigma = 1.0
"""


@pytest.mark.slow
def test_training_opens_no_connection(session, tmp_path):
    log = tmp_path / "connections.txt"
    recipe = tmp_path / "tiny-recipe.toml"
    recipe.write_text(RECIPE)
    assert session([("train", recipe, "-o", tmp_path / "out")], setup=HOOK.format(log=str(log), refuse=True)) == [0]
    assert not log.exists(), log.read_text()


def test_no_command_opens_a_connection(world, session, tmp_path):
    log = tmp_path / "connections.txt"
    run, made = tmp_path / "run", tmp_path / "made"
    commands = [
        ("list", "models"), ("list", "decoders"), ("list", "boxes"), ("list", "datasets"), ("list", "published"),
        ("data", "make", "synthface", "--faces", 4, "--workers", 2, "-o", made),
        ("data", "verify", made),
        ("run", "--data", f"wflw:{world.data}", "--model", world.card, "--engine", "torch", "-o", run),
        ("score", run), ("report", run), ("check", run),
        ("contract", "argmax"),
        ("data", "add", world.card),
    ]  # fmt: skip
    codes = session(commands, setup=HOOK.format(log=str(log), refuse=True))
    assert not log.exists(), log.read_text()
    expected = dict.fromkeys(range(len(commands)), (0,)) | {6: (0, 1), 10: (0, 3), 12: (2,)}
    for number, code in enumerate(codes):
        assert code in expected[number], (commands[number], code)


def test_fetch_connects(server, play, session, tmp_path):
    """Control: the same hook logs the connection of `data fetch`."""
    log = tmp_path / "connections.txt"
    mirror = tmp_path / "mirror.toml"
    mirror.write_text(
        f"[sources.thing]\nfile = 'thing.bin'\nurl = '{server.on('/thing', play.serve(b'x' * 100))}'\n"
        "max_bytes = 1000\nlicence = 'for tests'\n"
    )
    env = {"NMEBENCH_SOURCES": str(mirror)}
    assert session([("data", "fetch", "thing")], setup=HOOK.format(log=str(log), refuse=False), env=env) == [2]
    assert not log.exists()  # fetch doesn't connect before the licence is accepted
    code = session(
        [("data", "fetch", "thing", "--accept-licence")], setup=HOOK.format(log=str(log), refuse=False), env=env
    )
    assert code == [0]
    assert "socket.connect ('127.0.0.1'" in log.read_text()


@pytest.mark.parametrize(
    "module", ["nmebench.sweep", "nmebench.reports", "nmebench.models", "nmebench.decoders", "nmebench.fetch"]
)
def test_import_opens_no_connection(module, tmp_path):
    log = tmp_path / "connections.txt"
    code = HOOK.format(log=str(log), refuse=True) + f"import {module}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)
    assert not log.exists()
