"""The screens of the console that are tested and drawn alike: a line for each, with an address that shows something."""

from dataclasses import dataclass

from tests.support.server import Server


@dataclass(frozen=True)
class Screen:
    """A screen by its name in pictures, and its address below the service's, with {job} for the latest reload."""

    name: str
    path: str
    # The address that shows what somebody else has planted, with {} for the planted words and {number} for theirs.
    planted: str | None = None
    # Whether `make screenshots` draws it.
    drawn: bool = True

    def __str__(self) -> str:
        return self.name

    def address(self, server: Server) -> str:
        """The address at a service."""
        return with_job(self.path, server)


def with_job(path: str, server: Server) -> str:
    """The address with the latest reload of the service in place of {job}."""
    return path if "{job}" not in path else path.replace("{job}", server.get("/admin/jobs")["jobs"][0]["id"])


# What `used.live` has made is in these addresses: a list of questions, a collection with metadata, three generations.
_ASKED = "/console/search?q=How+do+I+count+my+stock%3F"
_PLANTED = "/console/search?q={}&collection={}"
_RUN = "/console/questions/run?name="
_FILTER = "filter=%7B%22section%22%3A+%22Stock%22%7D"
_CHECKPOINT = "all-MiniLM-L6-v2-128"
SCREENS = (
    Screen("start", "/console/start?connect=curl"),
    Screen("search", _ASKED, f"{_PLANTED}&missing={{}}"),
    Screen("search-first", "/console"),
    Screen("search-compared", f"{_ASKED}&left=1-dense&right=3-dense&missing=c145", f"{_PLANTED}&right=active-dense"),
    Screen("search-nothing", f"{_ASKED}&where=source%3D%22nowhere%22", drawn=False),
    Screen(
        "search-refused",
        f"{_ASKED}&collection=nowhere",
        f"{_PLANTED}&where={{}}%3D{{}}&left={{}}&k={{}}&right={{}}",
        drawn=False,
    ),
    Screen("questions", "/console/questions", "/console/questions"),
    Screen(
        "questions-compared", f"{_RUN}September+set&left=1-dense&right=2-dense", f"{_RUN}planted&right=active-dense"
    ),
    Screen("judge", "/console/judge", "/console/judge?collection={}"),
    Screen("judge-list", "/console/judge?view=list", "/console/judge?collection={}&view=list"),
    Screen("judge-exchange", "/console/judge/exchange", "/console/judge/exchange"),
    Screen("quality", "/console/quality", "/console/quality"),
    Screen("quality-train", "/console/quality?side=train&mode=hybrid", "/console/quality?collection={}", drawn=False),
    Screen("models", "/console/models", "/console/models"),
    Screen(
        "models-checkpoint",
        f"/console/models/checkpoints/{_CHECKPOINT}",
        "/console/models/checkpoints/planted-{number}",
    ),
    Screen("models-reload", "/console/models/jobs/{job}", "/console/models/jobs/{job}"),
    Screen("models-activate", "/console/models/activate", "/console/models/reload?model={}"),
    Screen("models-rollback", "/console/models/rollback", drawn=False),
    Screen("corpus", "/console/corpus?collection=guides", "/console/corpus?collection={}"),
    Screen(
        "corpus-filtered",
        f"/console/corpus?collection=guides&{_FILTER}",
        "/console/corpus?collection={}&q={}&filter={}",
    ),
    Screen(
        "document",
        "/console/corpus/document?collection=guides&id=guide%2Fclosing",
        "/console/corpus/document?collection={}&id={}",
    ),
    Screen(
        "document-edit",
        "/console/corpus/edit?collection=guides&id=guide%2Fclosing",
        "/console/corpus/edit?collection={}&id={}",
    ),
    Screen("corpus-load", "/console/corpus/load?collection=guides", "/console/corpus/load?collection={}"),
    Screen("system", "/console/system", "/console/system"),
    Screen("map", "/console/map", "/console/map?key={}&at={}&point={}"),
    Screen("no-such-page", "/console/nowhere", "/console/{}", drawn=False),
)
# The looks that a screen has: light or dark, and the width of the window in pixels.
LOOKS = (("light", 1280), ("dark", 1280), ("light", 400))
