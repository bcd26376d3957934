"""Who reads the pipe, and the thread that sees to it that nothing waits for a method.

One thread at a time, the *leader*, reads the server's frames. It runs calls of quick methods itself, one
after the other, and sends their results together: that spares each call two changes of threads. Methods that
usually take longer than these changes cost run at the same time, in threads of their own. Should a call that
the leader runs last after all, the *keeper* notices within a millisecond or two: another thread leads from
then on, and the one that runs the call is an ordinary thread of the pool. The keeper also writes what was left
for a later `flush`, such as items of a stream whose generator has nothing more to give.
"""

import threading
import time

# How often the keeper looks.
TICK = 0.001
# After how many looks without an event it sleeps until it is roused.
PATIENCE = 8

# A method that usually takes longer, in seconds, is not quick: about what another thread costs.
SHORT = 100e-6
# Longer times count as this, so that a single one does not say much.
LONG = 1e-3
# The weight of the latest time.
WEIGHT = 1 / 16

# For how many calls a method that lasted is not run by the leader: at first, each time more, at most.
CAUTION = 8
GROWTH = 4
MOST_CAUTION = 4096
# After so many quick calls in a row what was before is forgotten.
FORGIVEN = 1000
# After so many a method counts as known.
FAMILIAR = 16


class Pace:
    """What was seen of how long a method takes; decides who runs it."""

    def __init__(self):
        self._cautious = 0
        self._caution = CAUTION
        self._streak = 0
        self._usual = 0.0

    def is_quick(self):
        """Whether the leader may run the next call itself. At first it may: somebody has to find out."""
        if self._cautious:
            self._cautious -= 1
            return False
        return True

    def is_familiar(self):
        """Whether results of others may wait for it."""
        return self._streak >= FAMILIAR

    def took(self, seconds):
        """The leader has run it in passing."""
        self._usual += (min(seconds, LONG) - self._usual) * WEIGHT
        if self._usual > SHORT:
            self.lasted()
            return
        self._streak += 1
        if self._streak == FORGIVEN:
            self._caution = CAUTION

    def lasted(self):
        """It is no quick method, at least for a while."""
        self._streak = 0
        self._usual = 0.0
        self._cautious = self._caution
        self._caution = min(self._caution * GROWTH, MOST_CAUTION)


class Keeper:
    """Looks after the leader and the outbox."""

    def __init__(self, pipes, replace_leader):
        """`replace_leader` lets another thread lead; RuntimeError when there is none."""
        self._pipes = pipes
        self._replace_leader = replace_leader
        # Holds the pace of the method that the leader runs. Who takes it away decides who leads.
        self._baton = []
        self._entered = 0
        self._asleep = False
        self._bell = threading.Lock()
        self._bell.acquire()
        threading.Thread(target=self._keep, name="zerorpc-keeper", daemon=True).start()

    def enter(self, pace):
        """The leader is about to run a method."""
        self._entered += 1
        self._baton.append(pace)
        if self._asleep:
            self.rouse()

    def leave(self, seconds):
        """The method has come back after so long; False when somebody else leads meanwhile."""
        try:
            pace = self._baton.pop()
        except IndexError:
            return False
        pace.took(seconds)
        return True

    def rouse(self):
        """To be called after something was left for the keeper to see: then it looks within a tick."""
        if self._asleep:
            self._asleep = False
            try:
                self._bell.release()
            except RuntimeError:
                # Roused by two at once.
                pass

    def _keep(self):
        seen, quiet = 0, 0
        while True:
            time.sleep(TICK)
            entered = self._entered
            if self._baton and entered == seen:
                self._take_over()
            quiet = quiet + 1 if entered == seen and not self._pipes.waits() else 0
            seen = entered
            self._pipes.flush()
            if quiet > PATIENCE:
                # In this order: who leaves something looks at `_asleep` after that.
                self._asleep = True
                if self._baton or self._pipes.waits() or self._entered != seen:
                    self._asleep = False
                else:
                    self._bell.acquire()
                quiet = 0

    def _take_over(self):
        try:
            pace = self._baton.pop()
        except IndexError:
            return
        try:
            self._replace_leader()
        except RuntimeError:
            # No more threads now. Give it back, and try again: one of the leader and the next will go on.
            self._baton.append(pace)
        else:
            pace.lasted()
