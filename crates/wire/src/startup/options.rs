//! The start-up parameter `options`: settings written as a server's command line.

use crate::Error;

/// One setting from `-c name=value` or `--name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As PostgreSQL does, dashes in the name have become underscores.
    pub name: String,
    /// Without the backslashes that protected its spaces.
    pub value: String,
}

/// The settings in the value of `options`. Words are separated by white space; a backslash takes the next
/// character as it is.
///
/// # Errors
/// [`Error::StartupOptions`] for any other switch.
pub fn settings(options: &str) -> Result<Vec<Setting>, Error> {
    let mut words = words(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(setting) => setting.to_owned(),
            None => match word.strip_prefix("-c").ok_or(Error::StartupOptions)? {
                "" => words.next().ok_or(Error::StartupOptions)?,
                setting => setting.to_owned(),
            },
        };
        settings.push(parse(&setting)?);
    }
    Ok(settings)
}

fn parse(setting: &str) -> Result<Setting, Error> {
    match setting.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Setting { name: name.replace('-', "_"), value: value.to_owned() })
        }
        Some(_) | None => Err(Error::StartupOptions),
    }
}

fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = options.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if characters.peek().is_none() {
            return words;
        }
        let mut word = String::new();
        while let Some(character) = characters.next_if(|c| !c.is_ascii_whitespace()) {
            match character {
                '\\' => word.extend(characters.next()),
                character => word.push(character),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_split_as_postgres_splits_a_command_line() {
        let cases: [(&str, &[(&str, &str)]); 7] = [
            ("", &[]),
            ("  ", &[]),
            ("-c a=1", &[("a", "1")]),
            ("-ca=1  -c b=2", &[("a", "1"), ("b", "2")]),
            ("--work-mem=4MB\t-c x.y=", &[("work_mem", "4MB"), ("x.y", "")]),
            (r"-c search_path=a,\ b\\c", &[("search_path", r"a, b\c")]),
            ("-c a=b=c", &[("a", "b=c")]),
        ];
        for (options, expected) in cases {
            let found = settings(options).expect(options);
            let found: Vec<_> = found.iter().map(|s| (s.name.as_str(), s.value.as_str())).collect();
            assert_eq!(found, expected, "{options:?}");
        }
    }

    #[test]
    fn other_switches_are_refused() {
        for options in ["-d 5", "-c", "-c a", "--a", "-c =1", "a=1", "\\"] {
            assert_eq!(settings(options), Err(Error::StartupOptions), "{options:?}");
        }
    }
}
