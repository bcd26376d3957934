"""What calls fail with."""

__all__ = ["LostRemote", "RemoteError", "TimeoutExpired"]


class LostRemote(Exception):
    """The other side has gone."""


class TimeoutExpired(Exception):
    """The other side did not answer in time."""

    def __init__(self, timeout_s, when=None):
        super().__init__("timeout after %ss%s" % (timeout_s, ", when %s" % when if when else ""))


class RemoteError(Exception):
    """A remote method failed: the name of its exception, the message, the traceback."""

    def __init__(self, name, human_msg, human_traceback):
        super().__init__(name, human_msg, human_traceback)
        self.name = name
        self.msg = human_msg
        self.traceback = human_traceback

    def __str__(self):
        return self.traceback or "%s: %s" % (self.name, self.msg)
