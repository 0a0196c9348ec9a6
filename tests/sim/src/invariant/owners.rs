//! An epoch has one server that answers under it, and nobody answers under an epoch what was asked for after somebody had
//! answered under a higher one. So a server that was cut off does not answer once its lease is over, not even reads.
//!
//! Seen on the servers' data ports (`tap`). Catches `lease`, and servers that go on after they were fenced.

use history::{Finding, History};

/// `:answer [database [epoch server]]` is a look-up of an owner, as far as this is concerned.
pub fn check(history: &History) -> Finding {
    let mut history = history.clone();
    for event in &mut history.events {
        event.f = "look-up".into();
    }
    history::check_epochs(&history)
}

#[cfg(test)]
mod tests {
    use history::Verdict;

    use super::*;

    fn verdict(answers: &[&str]) -> Verdict {
        let pair = |(number, found): (usize, &&str)| {
            let entry = |kind: &str| format!("{{:process {number} :type :{kind} :f :answer :value {found}}}");
            entry("invoke") + &entry("ok")
        };
        let text: String = answers.iter().enumerate().map(pair).collect();
        check(&History::from_edn(&text).expect("a good script")).verdict
    }

    #[test]
    fn a_server_that_answers_after_its_successor_is_found() {
        assert_eq!(verdict(&["[1 [1 1]]", "[1 [1 1]]", "[1 [2 3]]"]), Verdict::Valid);
        assert_eq!(verdict(&["[1 [1 1]]", "[1 [2 3]]", "[1 [1 1]]"]), Verdict::Invalid);
        assert_eq!(verdict(&["[1 [2 1]]", "[1 [2 3]]"]), Verdict::Invalid);
    }
}
