use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example_of_itself() {
    fn check(command: &mut clap::Command, path: &str) {
        if command.has_subcommands() {
            for sub in command.get_subcommands_mut() {
                let path = format!("{path} {}", sub.get_name());
                check(sub, &path);
            }
            return;
        }
        let help = command.render_long_help().to_string();
        assert!(help.contains(&format!("{path} ")) || help.contains(&format!("{path}\n")), "{path}: {help}");
        assert!(help.contains("Example:"), "{path} has no example");
    }
    let mut cli = Cli::command().disable_help_subcommand(true);
    check(&mut cli, "leadwire");
}

#[test]
fn whoever_rebuilds_or_rolls_back_is_told_every_read_model_there_is() {
    for command in ["rebuild", "rollback"] {
        let help =
            Cli::try_parse_from(["leadwire", "projections", command, "--help"]).unwrap_err().to_string();
        let refused =
            Cli::try_parse_from(["leadwire", "projections", command, "leads"]).unwrap_err().to_string();
        for model in ::projections::ReadModel::ALL {
            assert!(
                help.contains(model.name()) && refused.contains(model.name()),
                "{model}: {help}\n{refused}"
            );
            assert!(
                Cli::try_parse_from(["leadwire", "projections", command, model.name()]).is_ok(),
                "{model}"
            );
        }
    }
}

#[test]
fn a_password_is_never_an_argument() {
    for wrong in
        [["staff", "set-password", "zhang", "secret"], ["staff", "set-password", "zhang", "--password=x"]]
    {
        assert!(Cli::try_parse_from(std::iter::once("leadwire").chain(wrong)).is_err());
    }
}

#[test]
fn a_replay_has_one_end() {
    let two = ["leadwire", "events", "replay", "s", "--to-sequence", "1", "--to-position", "2"];
    assert!(Cli::try_parse_from(two).is_err());
    assert!(Cli::try_parse_from(&two[..6]).is_ok());
}

#[test]
fn serve_has_both_roles_by_default() {
    let Command::Serve(serve) = Cli::parse_from(["leadwire", "serve"]).command else { panic!("not serve") };
    assert_eq!(serve.roles, [ServeRole::Api, ServeRole::Worker]);
    let one = Cli::parse_from(["leadwire", "serve", "--roles", "worker"]);
    let Command::Serve(serve) = one.command else { panic!("not serve") };
    assert_eq!(serve.roles, [ServeRole::Worker]);
}

/// The files that an operator copies to a machine.
const DEPLOYED: [(&str, &str); 3] = [
    ("leadwire.service", include_str!("../../../../../deploy/leadwire.service")),
    ("leadwire-intake.service", include_str!("../../../../../deploy/leadwire-intake.service")),
    ("leadwire-intake.cron", include_str!("../../../../../deploy/leadwire-intake.cron")),
];

/// The command line of ours in a line of a unit or of a crontab, without what surrounds it.
fn command_line(line: &str) -> Option<Vec<&str>> {
    if line.starts_with('#') {
        return None;
    }
    let (_, arguments) = line.split_once("/usr/local/bin/leadwire ")?;
    let own = arguments.split_whitespace().take_while(|word| !["|", "&&", "2>&1", ">>"].contains(word));
    Some(std::iter::once("leadwire").chain(own).collect())
}

#[test]
fn what_is_deployed_calls_commands_that_exist() {
    for (file, text) in DEPLOYED {
        let lines: Vec<_> = text.lines().filter_map(command_line).collect();
        assert_eq!(lines.len(), 1, "{file} calls the program once");
        let parsed = Cli::try_parse_from(&lines[0]).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(
            parsed.config.as_deref().and_then(std::path::Path::to_str),
            Some("/etc/leadwire/leadwire.toml")
        );
        let is_expected = match parsed.command {
            Command::Serve(_) => file == "leadwire.service",
            Command::Intake(IntakeCommand::Run(run)) => run.once && !run.daemon,
            _ => false,
        };
        assert!(is_expected, "{file}: {:?}", lines[0]);
    }
}

#[test]
fn a_timer_starts_a_unit_that_is_there() {
    let timer = include_str!("../../../../../deploy/leadwire-intake.timer");
    for section in ["[Unit]", "[Timer]", "[Install]"] {
        assert!(timer.lines().any(|line| line == section), "{section}");
    }
    assert!(timer.contains("OnCalendar="), "a timer without a moment starts nothing");
}
