"""Errors of encoding: it fails, or is refused for now."""

from service.errors import EncoderFailed, EncodingFailed, NotReady, Overloaded


def encoder_fails() -> EncoderFailed:
    """The error of an encoder that fails even on a plain text."""
    return EncoderFailed("the encoder fails: try again in a while; if it goes on, restart the service")


def encoder_ended() -> NotReady:
    """The error of a service one of whose scheduler threads has ended: only a restart helps."""
    return NotReady("the encoder's thread has ended: restart the service, and report its log")


def not_finite(checkpoint: str) -> EncodingFailed:
    """The error of the checkpoint with that id, which gave NaN or infinity for a text."""
    return EncodingFailed(
        f"{checkpoint} gave a vector that is not finite: leave the text out, or reload another checkpoint"
    )


def queue_full(seconds: int) -> Overloaded:
    """The error of a lane where a new request would wait for so many seconds."""
    return Overloaded(
        f"the texts that wait to be embedded take about {seconds} s: try again then, or send fewer at a time", seconds
    )
