//! The port in a command: where it is fixed, `{port}` takes its place.

/// Words after which an address or a port follows.
const FLAGS: [&str; 16] = [
    "--port",
    "--bind",
    "-b",
    "--listen",
    "-l",
    "--addr",
    "--address",
    "-addr",
    "-listen",
    "-port",
    "--http-port",
    "--server.port",
    "--http",
    "runserver",
    "--hostport",
    "--http-address",
];

/// Puts `{port}` in the place of every fixed port that the program listens on; `own` is one that
/// is known to be. Says whether anything was replaced.
pub(super) fn fill(words: &mut [String], own: Option<u16>) -> bool {
    let mut replaced = false;
    let mut after_flag = false;
    for word in words {
        let filled = match word.split_once('=').filter(|(flag, _)| FLAGS.contains(flag)) {
            Some((flag, value)) => address(value).map(|value| format!("{flag}={value}")),
            None if after_flag => address(word),
            None => address(word).filter(|_| own.is_some_and(|port| ends_in(word, port))),
        };
        // A command line often has options between `runserver` and its address.
        let option = word.starts_with('-');
        after_flag = FLAGS.contains(&word.as_str()) || (after_flag && option);
        if let Some(filled) = filled {
            *word = filled;
            replaced = true;
        }
    }
    replaced
}

/// `8000`, `:8000` or `host:8000` with `{port}` instead; nothing else.
fn address(word: &str) -> Option<String> {
    let digits = word.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    let port: u16 = digits.parse().ok().filter(|port| *port >= 80)?;
    let before = &word[..word.len() - digits.len()];
    let host = before.is_empty() || before.ends_with(':');
    (host && port > 0 && !before.contains('/')).then(|| format!("{before}{{port}}"))
}

fn ends_in(word: &str, port: u16) -> bool {
    let text = port.to_string();
    word == text || word.ends_with(&format!(":{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(line: &str, own: Option<u16>) -> String {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        fill(&mut words, own);
        words.join(" ")
    }

    #[test]
    fn a_fixed_port_is_replaced_where_the_program_listens() {
        for (line, expected) in [
            ("serve --port 8000", "serve --port {port}"),
            ("serve --port=8000", "serve --port={port}"),
            ("gunicorn app -b 0.0.0.0:8000", "gunicorn app -b 0.0.0.0:{port}"),
            ("manage.py runserver --noreload :8000", "manage.py runserver --noreload :{port}"),
            ("serve --bind [::]:8000", "serve --bind [::]:{port}"),
        ] {
            assert_eq!(filled(line, None), expected);
        }
    }

    #[test]
    fn other_numbers_and_addresses_stay() {
        for line in [
            "serve --workers 4000 --upstream db:5432",
            "serve --port {port}",
            "serve --bind unix:/run/8000",
            "serve --listen redis://cache/9000",
            "serve -b 7",
        ] {
            assert_eq!(filled(line, None), line);
        }
        assert_eq!(filled("serve web 8000 9000", Some(8000)), "serve web {port} 9000");
        assert_eq!(filled("serve 0.0.0.0:8000", Some(8000)), "serve 0.0.0.0:{port}");
    }
}
