//! How a job tells of itself, in words.

use bits_client::api::job::Job;
use bits_core::notify::NotifyFlags;

use super::counted;

/// What of the notifications of `job` is not as usual, and how they fare.
pub(super) fn fields(job: &Job) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if job.notify_flags != NotifyFlags::default().mask() {
        fields.push(("notifies", flags(job.notify_flags)));
    }
    if let Some(command) = &job.notify_command {
        // As it could be given to `bits set`: where an argument begins and ends is to be seen.
        let words = std::iter::once(&command.program).chain(&command.arguments);
        let quoted: Vec<String> = words.map(|word| format!("{word:?}")).collect();
        fields.push(("runs", quoted.join(" ")));
    }
    if let Some(url) = &job.notify_webhook {
        let signed = match job.notify_webhook_signed {
            Some(true) => " (signed)",
            Some(false) => " (not signed: it has no secret)",
            None => "",
        };
        fields.push(("webhook", format!("{url}{signed}")));
    }
    if job.notifications_pending > 0 {
        let waiting = counted(u64::from(job.notifications_pending), "notification");
        fields.push(("to be heard", waiting));
    }
    if let Some(failure) = &job.notification_failure {
        fields.push(("not heard", failure.clone()));
    }
    fields
}

fn flags(mask: u32) -> String {
    let words = NotifyFlags::NAMES.into_iter().filter(|(_, flag)| mask & flag != 0).map(|(name, _)| name);
    let words: Vec<&str> = words.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;
    use bits_client::api::job::NotifyCommand;

    #[test]
    fn only_what_is_unusual_is_shown_and_where_arguments_end_is_seen() {
        assert_eq!(fields(&a_job("error")), []);
        let command = NotifyCommand {
            program: "/opt/my app".to_owned(),
            arguments: vec!["$(x)".to_owned(), "a\nb".to_owned()],
        };
        let job = Job {
            notify_flags: 0x12,
            notify_command: Some(command),
            notify_webhook: Some("https://h.test/".to_owned()),
            notify_webhook_signed: Some(false),
            notifications_pending: 2,
            notification_failure: Some("h.test answered 500".to_owned()),
            ..a_job("error")
        };
        let shown = |name, value: &str| (name, value.to_owned());
        assert_eq!(
            fields(&job),
            [
                shown("notifies", "job-error, file-transferred"),
                shown("runs", r#""/opt/my app" "$(x)" "a\nb""#),
                shown("webhook", "https://h.test/ (not signed: it has no secret)"),
                shown("to be heard", "2 notifications"),
                shown("not heard", "h.test answered 500"),
            ]
        );
        assert_eq!(flags(0), "nothing");
    }
}
