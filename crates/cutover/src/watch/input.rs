//! What a key means.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use cutover_engine::api::Action;

use super::state::{Asked, Idle, Notice, State};

/// What the loop has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// End.
    Quit,
    /// End, as Ctrl-C does.
    Interrupt,
    /// Let the shell have the terminal for a while.
    Suspend,
    /// Ask the daemon.
    Act(Asked),
}

/// Takes in a key.
pub(crate) fn press(state: &mut State, key: KeyEvent) -> Option<Command> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Command::Interrupt),
            KeyCode::Char('z') => Some(Command::Suspend),
            _ => None,
        };
    }
    if let Some(asked) = state.question.take() {
        return answer(state, asked, key.code);
    }
    if std::mem::take(&mut state.help) {
        return matches!(key.code, KeyCode::Char('q')).then_some(Command::Quit);
    }
    // What was said about the key before is read.
    state.notice = None;
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Some(Command::Quit),
        KeyCode::Char('?') => state.help = true,
        KeyCode::Tab | KeyCode::Right | KeyCode::Down => state.choose(true),
        KeyCode::BackTab | KeyCode::Left | KeyCode::Up => state.choose(false),
        KeyCode::Char('p') => return promote(state),
        KeyCode::Char(' ') => return pause(state),
        KeyCode::Char('a') => abort(state),
        _ => {}
    }
    None
}

/// Lets the rollout go on, or confirms what waits for that. Where nobody is waited for it cuts a check short: that is asked first.
fn promote(state: &mut State) -> Option<Command> {
    if state.rollout().is_some_and(|rollout| rollout.confirm_until.is_some()) {
        let asked = ask(state, Action::Confirm)?;
        return send(state, asked);
    }
    let asked = ask(state, Action::Promote)?;
    if state.rollout().is_some_and(|rollout| rollout.waiting) {
        return send(state, asked);
    }
    state.question = Some(asked);
    None
}

fn pause(state: &mut State) -> Option<Command> {
    let paused = state.rollout().is_some_and(|rollout| rollout.paused);
    let asked = ask(state, if paused { Action::Resume } else { Action::Pause })?;
    send(state, asked)
}

fn abort(state: &mut State) {
    state.question = ask(state, Action::Abort { force: false });
}

/// The question to the daemon, if it makes sense now.
fn ask(state: &mut State, action: Action) -> Option<Asked> {
    let idle = match state.rollout() {
        _ if state.away.is_some() => Idle::Away,
        None => Idle::NoRollout,
        Some(rollout) if rollout.stage.is_none() => Idle::TurnsBack,
        Some(rollout) => {
            let subject = state.chosen.clone()?;
            return Some(Asked { subject, rollout: rollout.number, action });
        }
    };
    state.note(Notice::Idle(idle));
    None
}

fn answer(state: &mut State, asked: Asked, key: KeyCode) -> Option<Command> {
    match key {
        KeyCode::Char('y' | 'Y') => {}
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => return None,
        // Another key is no answer.
        _ => {
            state.question = Some(asked);
            return None;
        }
    }
    // The answer is about the rollout that was on the screen, not about the next one.
    if state.rollout().is_none_or(|rollout| rollout.number != asked.rollout) {
        state.note(Notice::Idle(Idle::Over));
        return None;
    }
    send(state, asked)
}

fn send(state: &mut State, asked: Asked) -> Option<Command> {
    state.note(Notice::Sent(asked.clone()));
    Some(Command::Act(asked))
}

#[cfg(test)]
mod tests {
    use cutover_core::units::At;

    use super::super::sample;
    use super::super::state::News;
    use super::*;

    fn showing(app: cutover_engine::api::AppStatus) -> State {
        let mut state = State::new(None, At(0));
        state.learn(News::Apps(vec![app]));
        state
    }
    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }
    fn typed(state: &mut State, text: &str) -> Vec<Command> {
        text.chars().filter_map(|c| press(state, key(KeyCode::Char(c)))).collect()
    }
    fn asked(rollout: u64, action: Action) -> Command {
        Command::Act(Asked { subject: "shop".parse().unwrap(), rollout, action })
    }
    const ABORT: Action = Action::Abort { force: false };

    #[test]
    fn an_abort_needs_a_yes_and_only_that() {
        let mut state = showing(sample::canary());
        assert_eq!(typed(&mut state, "a"), []);
        assert_eq!(typed(&mut state, "axp "), [], "none of these is an answer");
        assert_eq!(typed(&mut state, "n"), []);
        assert!(state.question.is_none());
        assert_eq!(typed(&mut state, "y"), [], "nothing is asked any more");
        assert_eq!(typed(&mut state, "ay"), [asked(12, ABORT)]);
    }

    #[test]
    fn a_yes_is_not_for_the_rollout_after_the_one_asked_about() {
        let mut state = showing(sample::canary());
        typed(&mut state, "a");
        let mut next = sample::canary();
        next.rollout.as_mut().unwrap().number = 13;
        state.learn(News::Apps(vec![next]));
        assert_eq!(typed(&mut state, "y"), []);
        assert_eq!(state.notice, Some((At(0), Notice::Idle(Idle::Over))));
    }

    #[test]
    fn promoting_is_asked_about_only_where_nobody_is_waited_for() {
        let mut state = showing(sample::waiting());
        assert_eq!(typed(&mut state, "p"), [asked(12, Action::Promote)]);
        let mut state = showing(sample::canary());
        assert_eq!(typed(&mut state, "p"), []);
        assert_eq!(typed(&mut state, "y"), [asked(12, Action::Promote)]);
    }

    #[test]
    fn space_pauses_and_goes_on() {
        let mut state = showing(sample::canary());
        assert_eq!(typed(&mut state, " "), [asked(12, Action::Pause)]);
        let mut paused = sample::canary();
        paused.rollout.as_mut().unwrap().paused = true;
        state.learn(News::Apps(vec![paused]));
        assert_eq!(typed(&mut state, " "), [asked(12, Action::Resume)]);
    }

    #[test]
    fn keys_that_make_no_sense_say_why() {
        let idle = |state: &mut State, keys: &str| {
            assert_eq!(typed(state, keys), []);
            state.notice.take().map(|(_, notice)| notice)
        };
        let mut state = showing(sample::idle());
        assert_eq!(idle(&mut state, "a"), Some(Notice::Idle(Idle::NoRollout)));
        let mut state = showing(sample::turning_back());
        assert_eq!(idle(&mut state, "a"), Some(Notice::Idle(Idle::TurnsBack)));
        state.learn(News::Away("gone".into()));
        assert_eq!(idle(&mut state, "p"), Some(Notice::Idle(Idle::Away)));
    }

    #[test]
    fn there_are_three_ways_out() {
        let mut state = showing(sample::idle());
        assert_eq!(typed(&mut state, "q"), [Command::Quit]);
        assert_eq!(press(&mut state, key(KeyCode::Esc)), Some(Command::Quit));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        typed(&mut state, "?");
        assert_eq!(press(&mut state, key(KeyCode::Esc)), None, "this only closes the help");
        assert_eq!(press(&mut state, interrupt), Some(Command::Interrupt));
    }
}
