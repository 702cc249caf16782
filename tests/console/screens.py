"""The screens of the console that are tested and drawn alike: a line for each, with an address that shows something."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Screen:
    """A screen by its name in pictures, and its address below the service's."""

    name: str
    path: str
    # The address that shows what somebody else has planted, with {} for the planted words.
    planted: str | None = None
    # Whether `make screenshots` draws it.
    drawn: bool = True

    def __str__(self) -> str:
        return self.name


_ASKED = "/console/search?q=How+do+I+count+my+stock%3F"
_PLANTED = "/console/search?q={}&collection={}"
SCREENS = (
    Screen("search", _ASKED, f"{_PLANTED}&missing={{}}"),
    Screen("search-first", "/console"),
    Screen("search-compared", f"{_ASKED}&right=active-keyword&missing=c145", f"{_PLANTED}&right=active-dense"),
    Screen("search-nothing", f"{_ASKED}&where=source%3D%22nowhere%22", drawn=False),
    Screen(
        "search-refused",
        f"{_ASKED}&collection=nowhere",
        f"{_PLANTED}&where={{}}%3D{{}}&left={{}}&k={{}}&right={{}}",
        drawn=False,
    ),
    Screen("map", "/console/map", "/console/map?key={}&at={}&point={}"),
    Screen("no-such-page", "/console/nowhere", "/console/{}", drawn=False),
)
# The looks that a screen has: light or dark, and the width of the window in pixels.
LOOKS = (("light", 1280), ("dark", 1280), ("light", 400))
