"""A call that is answered by events leaves nothing behind."""

from lab2mqtt import wire
from lab2mqtt.gateway.calls import Call
from lab2mqtt.gateway.device_routes import _told


async def test_who_hangs_up_is_not_told_the_result() -> None:
    """Nobody is called for it any more."""
    call = Call("cell-1", wire.command("turn", {}, request_id="once"), 0)
    call.moved({"request_id": "once", "status": "running"})
    stream = _told(call)
    assert (await anext(stream)).startswith(b"event: progress")
    await stream.aclose()
    assert not call.outcome._callbacks  # there is no other way to see it
