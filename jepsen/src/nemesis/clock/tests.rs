use super::*;

/// A program whose clocks can be set, and what it says.
struct Program {
    clocks: Clocks,
}

impl Program {
    fn new() -> Self {
        Self { clocks: Clocks::new(&["here".to_owned()]).expect("the library is of this workspace") }
    }

    fn says(&self, program: &str, arguments: &[&str]) -> String {
        let command = self.clocks.command("here");
        let said = Command::new(&command[0]).args(&command[1..]).arg(program).args(arguments).output();
        let said = said.expect("it runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text")
    }

    fn wall(&self) -> i64 {
        self.says("date", &["+%s"]).trim().parse().expect("a number")
    }

    fn set(&self, rate_ppm: u64, off_ns: i64) {
        self.clocks.set("here", rate_ppm, off_ns).expect("it can be set");
        // Until it holds.
        std::thread::sleep(std::time::Duration::from_nanos(2 * LEAD_NS as u64));
    }
}

fn wall() -> i64 {
    clock_gettime(ClockId::Realtime).tv_sec
}

#[test]
fn a_wall_clock_jumps_and_comes_back_c21() {
    let program = Program::new();
    for (off_ns, off_s) in [(0, 0), (JUMP_NS, 3_600), (-JUMP_NS, -3_600), (0, 0)] {
        program.set(RIGHT_PPM, off_ns);
        let (before, asked) = (wall(), program.clocks.asked("here").expect("a number"));
        let seen = program.wall() - off_s;
        assert!((before..=wall()).contains(&seen), "{off_s}: {before} {seen}");
        assert!(program.clocks.asked("here").expect("a number") > asked);
    }
}

/// What the test below does in a process of its own, whose clocks are fast: every kind of wait of ours. Nothing elsewhere.
#[test]
fn waits_of_a_thousand_seconds() {
    if std::env::var_os("CLOCK_PAGE").is_none() {
        return;
    }
    use std::{
        sync::Condvar,
        time::{Duration, Instant},
    };
    const LONG: Duration = Duration::from_secs(1_000);
    let began = Instant::now();
    std::thread::sleep(LONG);
    let (lock, never) = (Mutex::new(()), Condvar::new());
    let guard = lock.lock().expect("nobody panics");
    drop(never.wait_timeout(guard, LONG).expect("nobody panics"));
    std::thread::park_timeout(LONG);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let slept = runtime.block_on(async {
        let began = tokio::time::Instant::now();
        tokio::time::sleep(LONG).await;
        began.elapsed()
    });
    assert!(slept >= LONG, "{slept:?}");
    assert!(began.elapsed() >= 4 * LONG, "{:?}", began.elapsed());
}

#[test]
fn clocks_run_at_another_rate_and_so_do_waits_c21() {
    let program = Program::new();
    program.set(100_000 * RIGHT_PPM, 0);
    let before = wall();
    let me = std::env::current_exe().expect("a path of our own");
    let of = "nemesis::clock::tests::waits_of_a_thousand_seconds";
    let said = program.says(&me.to_string_lossy(), &["--exact", of]);
    assert!(said.contains("1 passed"), "{said}");
    // Its wall clock went along; afterwards it is right again.
    assert!(program.wall() - before >= 4_000);
    program.set(RIGHT_PPM, 0);
    let before = wall();
    assert!((before..=wall() + 1).contains(&program.wall()));
}

#[test]
fn monotonic_clocks_never_go_back_c21() {
    let program = Program::new();
    let uptime = || -> f64 {
        let script = "import time; print(time.monotonic())";
        program.says("python3", &["-c", script]).trim().parse().expect("a number")
    };
    let mut last = uptime();
    for rate_ppm in [50_000_000, RIGHT_PPM, 100_000, RIGHT_PPM] {
        program.set(rate_ppm, 0);
        let next = uptime();
        assert!(next > last, "{last} {next}");
        last = next;
    }
}
