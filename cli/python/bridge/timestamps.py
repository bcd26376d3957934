"""Moments with nanoseconds, and the timestamps of msgpack (extension type -1)."""

import datetime
import struct

CODE = -1
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
BILLION = 10**9

SHORT = struct.Struct(">I")
MIDDLE = struct.Struct(">Q")
LONG = struct.Struct(">Iq")


class PreciseDatetime(datetime.datetime):
    """A `datetime` that keeps what is finer than microseconds: `nanosecond`, 0 to 999.

    Callers may send that; a method that gives the moment back sends the same. Comparing, moving it by a
    timedelta and changing its time zone keep the nanoseconds, and so do copies. Pickled it is a plain
    `datetime`: programs that read it need not know this class.
    """

    # Also for instances that `datetime` makes without asking `__new__`.
    nanosecond = 0

    def __new__(cls, *args, nanosecond=0, **kwargs):
        """As `datetime`, and nanoseconds by keyword."""
        if not 0 <= nanosecond <= 999:
            raise ValueError("nanosecond must be in 0..999")
        made = super().__new__(cls, *args, **kwargs)
        made.nanosecond = nanosecond
        return made

    @classmethod
    def of(cls, moment, nanosecond):
        """The moment so many nanoseconds after `moment`."""
        return cls(
            moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second,
            moment.microsecond, moment.tzinfo, fold=moment.fold, nanosecond=nanosecond,
        )

    def plain(self):
        """The same without nanoseconds."""
        return datetime.datetime.combine(self.date(), self.timetz())

    def replace(self, *args, nanosecond=None, **kwargs):
        """As for `datetime`; the nanoseconds stay unless they are given too."""
        kept = self.nanosecond if nanosecond is None else nanosecond
        return type(self).of(self.plain().replace(*args, **kwargs), kept)

    def astimezone(self, tz=None):
        """The same moment in another time zone."""
        return type(self).of(self.plain().astimezone(tz), self.nanosecond)

    def __add__(self, other):
        moved = self.plain().__add__(other)
        return moved if moved is NotImplemented else type(self).of(moved, self.nanosecond)

    __radd__ = __add__

    def __sub__(self, other):
        moved = self.plain().__sub__(other)
        return type(self).of(moved, self.nanosecond) if isinstance(moved, datetime.datetime) else moved

    def __eq__(self, other):
        equal = super().__eq__(other)
        return self._finer(other) == 0 if equal is True else equal

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __lt__(self, other):
        return self._finer(other) < 0 if super().__eq__(other) is True else super().__lt__(other)

    def __le__(self, other):
        return self._finer(other) <= 0 if super().__eq__(other) is True else super().__le__(other)

    def __gt__(self, other):
        return self._finer(other) > 0 if super().__eq__(other) is True else super().__gt__(other)

    def __ge__(self, other):
        return self._finer(other) >= 0 if super().__eq__(other) is True else super().__ge__(other)

    __hash__ = datetime.datetime.__hash__

    def _finer(self, other):
        return self.nanosecond - getattr(other, "nanosecond", 0)

    def __repr__(self):
        return "%s, nanosecond=%d)" % (super().__repr__()[:-1], self.nanosecond)

    def __reduce_ex__(self, protocol):
        return self.plain().__reduce_ex__(protocol)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def since_epoch(moment):
    """The seconds and nanoseconds of an aware datetime."""
    if type(moment) is datetime.datetime:
        since = moment - EPOCH
        return since.days * 86400 + since.seconds, since.microseconds * 1000
    # Subclasses of others give for `moment - EPOCH` what they like.
    since = datetime.datetime.__sub__(moment, EPOCH)
    # That is what it is called in pandas, too.
    finer = getattr(moment, "nanosecond", 0)
    if type(finer) is not int or not 0 <= finer < 1000:
        finer = 0
    return since.days * 86400 + since.seconds, since.microseconds * 1000 + finer


def moment_of(seconds, nanoseconds):
    """The datetime in UTC; OverflowError where there is none."""
    moment = EPOCH + datetime.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    return PreciseDatetime.of(moment, nanoseconds % 1000) if nanoseconds % 1000 else moment


def encode(seconds, nanoseconds):
    """The bytes of a timestamp: 32 bits where they do, else 64, else 96."""
    if not 0 <= seconds < 1 << 34:
        return LONG.pack(nanoseconds, seconds)
    if nanoseconds or seconds > 0xFFFFFFFF:
        return MIDDLE.pack(nanoseconds << 34 | seconds)
    return SHORT.pack(seconds)


def decode(body):
    """The seconds and nanoseconds of a timestamp; ValueError where it is none."""
    size = len(body)
    if size == 4:
        return SHORT.unpack(body)[0], 0
    if size == 8:
        both = MIDDLE.unpack(body)[0]
        seconds, nanoseconds = both & (1 << 34) - 1, both >> 34
    elif size == 12:
        nanoseconds, seconds = LONG.unpack(body)
    else:
        raise ValueError("a timestamp (extension type -1) of %d bytes: it has 4, 8 or 12" % size)
    if nanoseconds >= BILLION:
        raise ValueError(
            "a timestamp (extension type -1) of %d nanoseconds: 999999999 are the limit" % nanoseconds
        )
    return seconds, nanoseconds
