import pytest
from tests.support.dashboard import built_page, serving

from trackway.dashboard.guard import Access, hosts_for
from trackway.dashboard.serve import ServeOptions, check
from trackway.errors import DashboardError

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard")
    (folder / "models").mkdir()
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return built_page(folder / "page")


@pytest.fixture(scope="module")
def models(folder):
    return folder / "models"


@pytest.fixture(scope="module")
def site(models, page):
    with serving(models, page) as site:
        yield site


@pytest.fixture(scope="module")
def guarded(models, page):
    with serving(models, page, Access(token=TOKEN, port=7)) as site:
        yield site


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "a:b:c"]
)
def test_a_foreign_host_is_refused_before_anything_is_read(site, host):
    reply = site.get("/api/runs", Host=host)

    assert reply.status == 421
    assert "--allow-host" in reply.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:6070", "LOCALHOST:80", "[::1]:6070"])
def test_this_machine_is_served_under_each_of_its_names(site, host):
    assert site.get("/api/runs", Host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_there_is_nothing_but_get(site, method):
    reply = site.get("/api/runs", method=method)

    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/api/runs", "/nothing", "/api/runs/x"])
def test_every_answer_forbids_other_origins_and_inline_scripts(site, path):
    headers = site.get(path).headers

    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'"
        in headers["content-security-policy"]
    )
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fguard.py",
        "/assets/%2e%2e/index.html",
        "//etc/passwd",
        "/index.html%00.js",
        "/assets/index-0.js.br",
        "/.git/config",
    ],
)
def test_no_path_of_a_request_becomes_a_path_of_the_disk(site, path):
    assert site.get(path).status == 404


def test_the_smallest_form_is_sent_and_only_once(site):
    reply = site.get("/assets/index-0.js", accept_encoding="gzip, br")

    assert reply.headers["content-encoding"] == "br"
    assert reply.body == b"compressed"
    assert "immutable" in reply.headers["cache-control"]
    again = site.get("/assets/index-0.js", if_none_match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_without_the_token_only_the_page_itself_is_shown(guarded):
    assert guarded.get("/").status == 200
    assert guarded.get("/api/runs").status == 401
    assert guarded.get("/api/session", authorization="Bearer wrong").status == 401
    assert guarded.get("/api/runs", cookie=f"trackway_7={TOKEN}").status == 401


def test_the_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_cannot_use(guarded):
    reply = guarded.get("/api/session", authorization=f"Bearer {TOKEN}")
    cookie = reply.headers["set-cookie"]

    assert reply.status == 200
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/runs", cookie=cookie.partition(";")[0]).status == 200


def test_over_https_the_cookie_is_for_https_alone(guarded):
    reply = guarded.get("/api/session", authorization=f"Bearer {TOKEN}", x_forwarded_proto="https")

    assert "Secure" in reply.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/trackway/", "/trackway/api/runs", "/", "/api/runs"])
def test_a_proxy_may_pass_its_prefix_on_or_take_it_away(models, page, path):
    with serving(models, page, Access(prefix="/trackway")) as site:
        assert site.get(path).status == 200
        assert site.get("/trackway").headers["location"] == "/trackway/"


def test_behind_a_prefix_the_api_still_asks_for_the_token(models, page):
    with serving(models, page, Access(prefix="/trackway", token=TOKEN)) as site:
        assert site.get("/trackway/api/runs").status == 401
        assert site.get("/api/runs").status == 401
        reply = site.get("/trackway/api/session", authorization=f"Bearer {TOKEN}")
        assert "Path=/trackway" in reply.headers["set-cookie"]


def test_an_address_that_is_too_long_is_refused(site):
    assert site.get("/api/runs?x=" + "y" * 10_000).status in {400, 414}


@pytest.mark.parametrize(
    "data",
    [
        b"GET /api/runs HTTP/1.1\r\n\r\n",
        b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"A" * 100_000,
        b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /api/runs/%2e%2e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_malformed_request_harms_nobody(site, data):
    answer = site.raw(data, timeout_s=2)

    assert answer == b"" or answer.split(b" ")[1][:1] == b"4"
    assert site.get("/api/runs").status == 200


@pytest.mark.parametrize(
    "how", [{"host": "0.0.0.0"}, {"host": "192.0.2.1"}, {"allowed_hosts": ("a.example",)}]
)
def test_it_refuses_to_be_reachable_without_a_token(models, how):
    with pytest.raises(DashboardError, match="TRACKWAY_TOKEN"):
        check(ServeOptions(models, **how))

    check(ServeOptions(models, **how, token=TOKEN))


def test_a_token_that_could_be_guessed_is_refused(models):
    with pytest.raises(DashboardError, match="16 letters"):
        check(ServeOptions(models, token="secret"))


def test_a_server_answers_under_the_name_it_is_bound_to():
    assert Access(hosts_for("192.0.2.1", ["Dash.example"])).admits("192.0.2.1:6070")
    assert Access(hosts_for("192.0.2.1", ["Dash.example"])).admits("dash.example")
