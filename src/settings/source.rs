//! Where settings come from: the process environment, and in development two files beside it. Tests use a map.

use std::collections::BTreeMap;
use std::io;

use super::Fault;

/// Names and values before anyone has looked at them. An empty value is an unset one.
#[derive(Clone, Debug, Default)]
pub struct Source {
    values: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Source {
    /// The environment of this process, the host's name, and in development the files of the working directory.
    pub fn from_process(is_known: impl Fn(&str) -> bool) -> Self {
        let mut source = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => source.set(&name, &value),
                Err(_) if is_known(&name) => source.faults.push(Fault::new(&name, "is not valid UTF-8")),
                Err(_) => {}
            }
        }
        source.read_files(|path| std::fs::read_to_string(path));
        // Shells seldom export HOSTNAME; the kernel always knows it.
        if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
            source.set_if_missing("HOSTNAME", name.trim());
        }
        source
    }

    /// In development, adds what `.env.development` and then `.env` say about variables that have no value yet.
    fn read_files(&mut self, read: impl Fn(&str) -> io::Result<String>) {
        if !self.is_development() {
            return;
        }
        for path in [".env.development", ".env"] {
            let text = match read(path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.faults.push(Fault::new(path, format!("cannot be read: {error}")));
                    continue;
                }
            };
            let (values, bad_lines) = parse_file(&text);
            for (name, value) in values {
                self.set_if_missing(&name, &value);
            }
            self.faults.extend(bad_lines.into_iter().map(|line| Fault::new(path, format!("line {line} is not NAME=value"))));
        }
    }

    /// `NODE_ENV=development`: known before all settings are.
    pub fn is_development(&self) -> bool {
        self.get("NODE_ENV").is_some_and(|value| value.trim() == "development")
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What was wrong with the source itself.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    fn set(&mut self, name: &str, value: &str) {
        if !value.trim().is_empty() {
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    fn set_if_missing(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Source {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut source = Self::default();
        for (name, value) in pairs {
            source.set(name.as_ref(), value.as_ref());
        }
        source
    }
}

/// The syntax of Node's dotenv: `NAME=value`, an optional `export`, `#` comments, and quotes, inside which a value may go
/// over several lines. Nothing is substituted, so that a secret may hold a `$`. Gives the pairs and the numbers of bad lines.
fn parse_file(text: &str) -> (Vec<(String, String)>, Vec<usize>) {
    let (mut pairs, mut bad) = (Vec::new(), Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(name, _)| is_name(name)) else {
            bad.push(index + 1);
            continue;
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let value = if let Some(quote) = quote {
            let mut value = value[1..].to_owned();
            while !value.contains(quote) {
                let Some((_, next)) = lines.next() else { break };
                value.push('\n');
                value.push_str(next);
            }
            let Some(end) = value.find(quote) else {
                bad.push(index + 1);
                continue;
            };
            value.truncate(end);
            if quote == '"' { value.replace("\\n", "\n") } else { value }
        } else {
            value.split(" #").next().unwrap_or_default().trim().to_owned()
        };
        pairs.push((name.to_owned(), value));
    }
    (pairs, bad)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(path: &str) -> io::Result<String> {
        match path {
            ".env.development" => Ok("PORT=4000\nDEMO=true\nREDIS_HOST=\n".into()),
            ".env" => Ok("PORT=5000\nREDIS_HOST=db # the old one\n???\n".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn the_environment_wins_over_the_development_file_and_that_over_the_common_one() {
        let mut source = Source::from_iter([("NODE_ENV", "development"), ("DEMO", "false")]);
        source.read_files(files);
        assert_eq!(source.get("DEMO"), Some("false"));
        assert_eq!(source.get("PORT"), Some("4000"));
        assert_eq!(source.get("REDIS_HOST"), Some("db"));
        assert_eq!(source.faults(), [Fault::new(".env", "line 3 is not NAME=value")]);
    }

    #[test]
    fn in_production_no_file_is_read() {
        let mut source = Source::default();
        source.read_files(|_| panic!("a file was read"));
        assert_eq!(source.get("PORT"), None);
    }

    #[test]
    fn the_files_have_the_syntax_of_dotenv() {
        let text = "# a comment\nexport A=1\nB = 'x # y $HOME'\nC=\"two\\nlines\"\nKEY=\"-----BEGIN\nabc\n-----END\"\nD=a=b #c\nE=\nF='open";
        let (pairs, bad) = parse_file(text);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("A", "1"),
            ("B", "x # y $HOME"),
            ("C", "two\nlines"),
            ("KEY", "-----BEGIN\nabc\n-----END"),
            ("D", "a=b"),
            ("E", ""),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(bad, [10]);
    }
}
