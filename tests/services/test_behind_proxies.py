"""Real proxies in front of a Baton that listens on this machine and does not know of them: nobody who comes through
one sees a page without a login.

A test whose proxy is not installed is skipped by name; with CI=true it fails.
"""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_ports, is_free
from tests.journeys.processes import KEY, Running, running

pytestmark = pytest.mark.xdist_group("proxies")  # they share what takes seconds to start

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{port}
  {extra}
  default_backend baton
backend baton
  server baton {upstream}
"""
NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ {extra} proxy_pass http://{upstream}; }}
  }}
}}
"""
PATHS = ("/", "/panels", "/live", "/parked", "/agreement", "/v1/agreement", "/v1/pilots")


@pytest.fixture(scope="module")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("embedded", tmp_path_factory.mktemp("behind")) as it:
        yield it


@contextmanager
def proxy(name: str, folder: Path, baton: Running, extra: str = "", user: str = "") -> Iterator[str]:
    """The proxy `name` in front of Baton, with the line `extra` in its settings; its address."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {name} on PATH")
    port = free_ports(1)[0]
    upstream = baton.url.removeprefix("http://")
    pattern, flag = {"haproxy": (HAPROXY, "-f"), "nginx": (NGINX, "-c")}[name]
    settings = folder / f"{name}.conf"
    settings.write_text(pattern.format(port=port, upstream=upstream, extra=extra, folder=folder, user=user))
    process = subprocess.Popen([program, flag, str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while is_free(port):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def refused(url: str, **headers: str) -> None:
    """No page opens at `url` without a login, and all do with one."""
    for path in PATHS:
        answer = httpx.get(url + path, headers=headers, timeout=30)
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer"), path
    draft = httpx.post(
        f"{url}/v1/agreement/simulations", content="x", headers={**headers, "Content-Type": "application/yaml"}
    )
    assert draft.status_code == 401
    assert httpx.get(url, headers=headers, auth=("me", KEY), timeout=30).status_code == 200


def test_behind_haproxy_no_header_of_a_stranger_opens_a_page(tmp_path: Path, baton: Running) -> None:
    with proxy("haproxy", tmp_path, baton, "option forwardfor") as url:
        refused(url, Host="localhost")
        refused(url, Host="localhost", **{"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"})
    assert httpx.get(baton.url, timeout=30).status_code == 200


def test_behind_haproxy_without_forwardfor_a_claim_to_be_here_is_taken_for_what_it_is(
    tmp_path: Path, baton: Running
) -> None:
    with proxy("haproxy", tmp_path, baton) as url:
        refused(url, Host="leads.acme.example")
        refused(url, Host="localhost", **{"X-Forwarded-For": "127.0.0.1"})


def test_behind_nginx_as_it_comes_no_page_opens(tmp_path: Path, baton: Running) -> None:
    with proxy("nginx", tmp_path, baton) as url:
        refused(url)
        refused(url, Host="localhost", **{"X-Real-IP": "127.0.0.1"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a proxy that runs as another user")
def test_behind_a_proxy_that_adds_nothing_but_runs_as_its_own_user_no_page_opens(
    tmp_path: Path, baton: Running
) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    as_1_1 = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    with proxy("nginx", tmp_path, baton, as_1_1, user="user nobody nogroup;") as url:
        refused(url)
        refused(url, Host="localhost")
