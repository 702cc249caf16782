"""How encoding fails, or is refused for now."""

from service.errors import EncoderFailed, EncodingFailed, NotReady, Overloaded


def encoder_fails() -> EncoderFailed:
    """The encoder fails on a plain text, too."""
    return EncoderFailed("the encoder fails: try again in a while; if it goes on, restart the service")


def encoder_ended() -> NotReady:
    """A thread of the scheduler has ended, and only a restart helps."""
    return NotReady("the encoder's thread has ended: restart the service, and report its log")


def not_finite(checkpoint: str) -> EncodingFailed:
    """The checkpoint with that id gave NaN or infinity for a text."""
    return EncodingFailed(f"{checkpoint} gave a vector that is not finite: leave the text out, or reload another")


def queue_full(seconds: int) -> Overloaded:
    """So many seconds pass before a new request would be encoded."""
    return Overloaded(
        f"what waits to be embedded takes some {seconds} s: try again then, or send fewer at a time", seconds
    )
