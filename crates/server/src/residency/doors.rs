//! Who is inside a loaded database, and how it is left: decisions only, no IO.
//!
//! Open, then closing (nobody new comes in, who is inside finishes), then cut (who is still inside is interrupted).
//! The owner task asks [`Doors::next`] what to do; entering and closing are one step, so that nobody is let into a
//! database that is about to be put away.

use std::time::Duration;

use tokio::time::Instant;

/// Why a database is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody used it for the time that the settings say.
    Idle,
    /// Another database needs its place.
    Room,
    /// A controller asked for it.
    Released,
    /// The controllers say that this server's life is over.
    Expired,
    /// The process ends.
    Shutdown,
    /// The journal did not take its commits.
    Lost,
    /// The server runs out of something, and nobody used it.
    Pressure,
}

/// The doors of one database.
#[derive(Debug)]
pub struct Doors {
    state: State,
    sessions: usize,
    /// When somebody was last inside.
    used: Instant,
    /// Whether the working copy is open. It need not be while nobody is inside.
    warm: bool,
    /// Since when it is.
    warmed: Instant,
}

/// How long a database may do without sessions.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before its working copy is closed.
    pub cool: Duration,
    /// Before it is put away, if that is limited.
    pub leave: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    Closing { why: Why, until: Instant },
    Cut { why: Why },
}

/// What the owner does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for a change, at most until this moment.
    Wait(Option<Instant>),
    /// Interrupt who is still inside.
    Cut,
    /// Nobody is inside: close the working copy for now.
    Cool,
    /// Somebody waits inside: open the working copy.
    Warm,
    /// Nobody is inside and nobody comes in any more: put it away.
    Leave(Why),
}

impl Doors {
    /// Open, with nobody inside and the working copy closed.
    pub fn open(now: Instant) -> Self {
        Self { state: State::Open, sessions: 0, used: now, warm: false, warmed: now }
    }

    /// The working copy was opened.
    pub fn warmed(&mut self, now: Instant) {
        (self.warm, self.warmed) = (true, now);
    }

    /// Lets one in, unless closing.
    pub fn enter(&mut self) -> bool {
        let open = matches!(self.state, State::Open);
        self.sessions += usize::from(open);
        open
    }

    /// One has left.
    pub fn leave(&mut self, now: Instant) {
        self.sessions = self.sessions.checked_sub(1).expect("BUG: who leaves has entered");
        self.used = now;
    }

    /// Lets nobody in any more; who is inside has until then. A second closing can only shorten the time.
    pub fn close(&mut self, why: Why, until: Instant) {
        self.state = match self.state {
            State::Open => State::Closing { why, until },
            State::Closing { why, until: before } => State::Closing { why, until: before.min(until) },
            cut @ State::Cut { .. } => cut,
        };
    }

    /// Until when who is inside has time, if that is limited.
    pub fn until(&self) -> Option<Instant> {
        match self.state {
            State::Open => None,
            State::Closing { until, .. } => Some(until),
            State::Cut { .. } => Some(Instant::now()),
        }
    }

    /// Closes if nobody is inside.
    pub fn close_if_empty(&mut self, why: Why, now: Instant) -> bool {
        let empty = matches!(self.state, State::Open) && self.sessions == 0;
        if empty {
            self.close(why, now);
        }
        empty
    }

    /// Decides. [`Next::Cool`] counts as done.
    pub fn next(&mut self, now: Instant, patience: Patience) -> Next {
        match self.state {
            State::Closing { why, .. } | State::Cut { why } if self.sessions == 0 => Next::Leave(why),
            State::Open | State::Closing { .. } if self.sessions > 0 && !self.warm => Next::Warm,
            State::Open if self.sessions > 0 => Next::Wait(None),
            State::Open => self.idle_next(now, patience),
            State::Closing { why, until } if now >= until => {
                self.state = State::Cut { why };
                Next::Cut
            }
            State::Closing { until, .. } => Next::Wait(Some(until)),
            State::Cut { .. } => Next::Wait(None),
        }
    }

    fn idle_next(&mut self, now: Instant, patience: Patience) -> Next {
        let leave = patience.leave.map(|leave| self.used + leave);
        let cool = self.warm.then(|| self.used.max(self.warmed) + patience.cool);
        if leave.is_some_and(|leave| now >= leave) {
            self.close(Why::Idle, now);
            return Next::Leave(Why::Idle);
        }
        if cool.is_some_and(|cool| now >= cool) {
            self.warm = false;
            return Next::Cool;
        }
        Next::Wait(leave.into_iter().chain(cool).min())
    }

    /// Whether nobody is let in any more.
    pub fn is_closing(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    /// How many are inside.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// How long nobody has been inside; zero while somebody is.
    pub fn idle(&self, now: Instant) -> Duration {
        if self.sessions > 0 { Duration::ZERO } else { now.saturating_duration_since(self.used) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Patience = Patience { cool: Duration::from_secs(1000), leave: Some(Duration::from_secs(10)) };

    /// With the working copy open.
    fn open(now: Instant) -> Doors {
        let mut doors = Doors::open(now);
        doors.warmed(now);
        doors
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_database_is_left_when_idle_long_enough() {
        let start = Instant::now();
        let mut doors = open(start);
        assert_eq!(doors.next(start, IDLE), Next::Wait(Some(after(start, 10))));
        assert!(doors.enter());
        assert_eq!(doors.next(after(start, 99), IDLE), Next::Wait(None), "somebody is inside");
        doors.leave(after(start, 100));
        assert_eq!(doors.next(after(start, 109), IDLE), Next::Wait(Some(after(start, 110))));
        assert_eq!(doors.next(after(start, 110), IDLE), Next::Leave(Why::Idle));
        assert!(!doors.enter(), "the decision to leave closes the doors");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_is_put_away() {
        let start = Instant::now();
        assert_eq!(
            Doors::open(start).next(after(start, 1 << 20), Patience { leave: None, ..IDLE }),
            Next::Wait(None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn closing_waits_for_those_inside_and_cuts_them_off_in_the_end() {
        let start = Instant::now();
        let mut doors = open(start);
        assert!(doors.enter());
        doors.close(Why::Released, after(start, 5));
        assert!(!doors.enter());
        assert_eq!(doors.next(start, IDLE), Next::Wait(Some(after(start, 5))));
        assert_eq!(doors.next(after(start, 5), IDLE), Next::Cut);
        assert_eq!(doors.next(after(start, 5), IDLE), Next::Wait(None), "cut once");
        doors.leave(after(start, 6));
        assert_eq!(doors.next(after(start, 6), IDLE), Next::Leave(Why::Released));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_closing_only_shortens_the_time() {
        let start = Instant::now();
        let mut doors = open(start);
        assert!(doors.enter());
        doors.close(Why::Released, after(start, 5));
        doors.close(Why::Shutdown, after(start, 9));
        assert_eq!(doors.until(), Some(after(start, 5)));
        assert_eq!(doors.next(start, IDLE), Next::Wait(Some(after(start, 5))));
        doors.close(Why::Lost, after(start, 1));
        assert_eq!(doors.next(after(start, 1), IDLE), Next::Cut);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_empty_database_makes_room() {
        let start = Instant::now();
        let mut doors = open(start);
        assert!(doors.enter());
        assert!(!doors.close_if_empty(Why::Room, start));
        doors.leave(start);
        assert!(doors.close_if_empty(Why::Room, start));
        assert_eq!(doors.next(start, IDLE), Next::Leave(Why::Room));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_copy_is_closed_and_opened_again_for_who_comes() {
        let patience = Patience { cool: Duration::from_secs(2), leave: Some(Duration::from_secs(10)) };
        let start = Instant::now();
        let mut doors = open(start);
        assert_eq!(doors.next(start, patience), Next::Wait(Some(after(start, 2))));
        assert_eq!(doors.next(after(start, 2), patience), Next::Cool);
        assert_eq!(doors.next(after(start, 2), patience), Next::Wait(Some(after(start, 10))));
        assert!(doors.enter());
        assert_eq!(doors.next(after(start, 3), patience), Next::Warm);
        doors.warmed(after(start, 3));
        assert_eq!(doors.next(after(start, 3), patience), Next::Wait(None));
        doors.leave(after(start, 4));
        assert_eq!(doors.next(after(start, 4), patience), Next::Wait(Some(after(start, 6))));
        doors.close(Why::Released, after(start, 4));
        assert_eq!(doors.next(after(start, 4), patience), Next::Leave(Why::Released));
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_before_the_doors_closed_is_still_served() {
        let start = Instant::now();
        let mut doors = Doors::open(start);
        assert!(doors.enter());
        doors.close(Why::Released, after(start, 5));
        assert_eq!(doors.next(start, IDLE), Next::Warm);
    }
}
