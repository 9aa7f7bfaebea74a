//! Screens as they are drawn, in the sizes that matter.

use cutover_core::units::At;
use cutover_engine::api::AppStatus;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::super::sample::{self, NOW};
use super::super::state::{Asked, News, Notice, State};
use super::*;

const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (120, 40)];

fn state(apps: Vec<AppStatus>) -> State {
    let mut state = State::new(Some("shop".parse().unwrap()), NOW);
    state.learn(News::Apps(apps));
    state
}

/// With requests, events and rollouts of the past.
fn full(app: AppStatus) -> State {
    let mut state = state(vec![app]);
    state.learn(News::Seconds(sample::minutes(5)));
    state.learn(News::Past(sample::past()));
    sample::events().into_iter().for_each(|event| state.learn(News::Event(Box::new(event))));
    state
}

fn drawn(state: &State, theme: Theme, (width, height): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, theme)).unwrap();
    terminal
}

fn screen(state: &State, size: (u16, u16)) -> String {
    drawn(state, Theme::Plain, size).backend().to_string()
}

/// A snapshot for each size.
fn check(name: &str, state: &State) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), screen(state, (width, height)));
    }
}

#[test]
fn a_canary_in_the_middle_with_a_failing_candidate() {
    check("canary", &full(sample::canary()));
}

#[test]
fn a_stage_whose_evidence_grows() {
    let mut state = full(sample::judging());
    for step in 0..40_u32 {
        let part = f64::from(step) / 40.0;
        state.learn(News::Event(Box::new(sample::judged(1, part * part * 0.65, 0.1 * part))));
    }
    check("judging", &state);
    // Of another stage, or another rollout, it is not shown.
    let mut state = full(sample::judging());
    state.learn(News::Event(Box::new(sample::judged(0, 0.5, 0.1))));
    assert!(!screen(&state, (80, 24)).contains("not worse"));
}

#[test]
fn blue_green_that_waits_for_approval() {
    check("waiting", &full(sample::waiting()));
}

#[test]
fn nothing_is_going_on() {
    check("idle", &full(sample::idle()));
}

#[test]
fn the_first_release() {
    check("first", &state(vec![sample::first()]));
}

#[test]
fn turning_back() {
    check("turning-back", &full(sample::turning_back()));
}

#[test]
fn twenty_instances() {
    check("large", &full(sample::large()));
}

#[test]
fn no_app_and_an_app_that_is_not_there() {
    check("not-deployed", &state(vec![]));
    let mut nothing = State::new(None, NOW);
    assert!(screen(&nothing, (80, 24)).contains("asking the daemon"));
    nothing.learn(News::Apps(vec![]));
    insta::assert_snapshot!("no-app", screen(&nothing, (80, 24)));
}

#[test]
fn several_apps_and_a_worker() {
    insta::assert_snapshot!("several", screen(&state(sample::three_apps()), (80, 24)));
    let mut worker = State::new(None, NOW);
    worker.learn(News::Apps(vec![sample::worker()]));
    insta::assert_snapshot!("worker", screen(&worker, (80, 24)));
}

#[test]
fn the_daemon_is_away() {
    let mut state = full(sample::canary());
    state.learn(News::Away("the daemon does not answer on /run/cutover/daemon.sock".into()));
    state.now = At(NOW.0 + 12_000);
    insta::assert_snapshot!("away", screen(&state, (80, 24)));
}

#[test]
fn questions_answers_and_help() {
    let mut state = full(sample::canary());
    let action = cutover_engine::api::Action::Abort { force: false };
    let asked = Asked { subject: "shop".parse().unwrap(), rollout: 12, action };
    state.question = Some(asked.clone());
    assert!(screen(&state, (60, 15)).contains(" turn shop #12 to v2 back? y/n "));
    state.question = None;
    state.learn(News::Answer(asked, Ok(())));
    assert!(screen(&state, (60, 15)).contains("shop #12 turns back"));
    let why = "shop: the stage is not reached yet; nothing was changed; see `cutover status`, \
               and promote when it waits";
    state.note(Notice::Refused(why.into()));
    let text = screen(&state, (60, 15));
    assert!(text.contains("not done: shop: the stage") && text.contains("when it waits"), "{text}");
    state.now = At(NOW.0 + 60_000);
    assert!(!screen(&state, (60, 15)).contains("not done"), "an answer goes away");
    state.help = true;
    insta::assert_snapshot!("help", screen(&state, (60, 15)));
}

#[test]
fn a_small_terminal_says_so_and_none_is_too_small_to_say_it() {
    let state = full(sample::canary());
    let text = screen(&state, (59, 15));
    assert!(text.contains("too small") && text.contains("59×15, needs") && text.contains("60×15"));
    for size in [(60, 14), (20, 4), (1, 1), (3, 50), (400, 2)] {
        screen(&state, size);
    }
    for size in [(60, 15), (61, 17), (79, 23), (200, 80), (500, 200)] {
        for app in [sample::canary(), sample::large(), sample::first(), sample::worker()] {
            screen(&full(app), size);
        }
    }
}

#[test]
fn requests_that_no_release_got_have_a_row_of_their_own() {
    let mut state = full(sample::idle());
    state.learn(News::Seconds(sample::seconds(7, vec![sample::second(301).nobody(4).made()])));
    assert!(screen(&state, (80, 24)).contains(" - no server"));
}

#[test]
fn old_counts_are_not_shown_as_those_of_now() {
    let mut state = full(sample::idle());
    assert!(screen(&state, (80, 24)).contains("0.0%"));
    state.now = At(NOW.0 + 30_000);
    let text = screen(&state, (80, 24));
    assert!(text.contains("no counts: the last ones are 30 s old") && !text.contains("0.0%"));
}

/// Without colours every letter, word and bar is there all the same.
#[test]
fn without_colours_nothing_is_coloured_and_nothing_is_missing() {
    let state = full(sample::canary());
    let plain = drawn(&state, Theme::Plain, (80, 24));
    let coloured = drawn(&state, Theme::Colour, (80, 24));
    let cells = |terminal: &Terminal<TestBackend>| terminal.backend().buffer().content.clone();
    let colours = |terminal| {
        cells(terminal).iter().filter(|c| c.fg != Color::Reset || c.bg != Color::Reset).count()
    };
    assert_eq!(colours(&plain), 0);
    assert!(colours(&coloured) > 100);
    let text = |terminal| cells(terminal).iter().map(|c| c.symbol().to_owned()).collect::<String>();
    assert_eq!(text(&plain), text(&coloured));
}
