//! `bits set`: properties of a job, by BITS's names in kebab-case.

use bits_client::api::job::ChangeJob;
use bits_core::job::Priority;

use super::Context;
use crate::arguments::Set;
use crate::exit::Failure;
use crate::nearest::nearest;

pub(super) async fn run(set: Set, context: &Context<'_>) -> Result<(), Failure> {
    let change = parse(&set.changes)?;
    let session = context.session().await?;
    let id = session.find_id(&set.job).await?;
    let job = session.client.change_job(id, &change, None).await?;
    if context.output.is_json() {
        return context.output.result_json(&job);
    }
    context.output.detail(&format!("{}: changed", job.display_name));
    Ok(())
}

const KEYS: [&str; 6] = [
    "priority",
    "description",
    "display-name",
    "minimum-retry-delay",
    "no-progress-timeout",
    "complete-when-done",
];

/// The change that `KEY=VALUE`s ask for.
fn parse(texts: &[String]) -> Result<ChangeJob, Failure> {
    let mut change = ChangeJob::default();
    let mut seen: Vec<&str> = Vec::new();
    for text in texts {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Failure::Usage(format!("`{text}` is no change; write KEY=VALUE")));
        };
        if seen.contains(&key) {
            return Err(Failure::Usage(format!("`{key}` is given twice")));
        }
        seen.push(key);
        match key {
            "priority" => change.priority = Some(priority(value)?.name().to_owned()),
            "description" => change.description = Some(value.to_owned()),
            "display-name" => change.display_name = Some(value.to_owned()),
            "minimum-retry-delay" => change.minimum_retry_delay = Some(seconds(key, value)?),
            "no-progress-timeout" => change.no_progress_timeout = Some(seconds(key, value)?),
            "complete-when-done" => change.complete_when_done = Some(truth(key, value)?),
            _ => {
                return Err(Failure::UsageNear {
                    sentence: format!("there is no property `{key}`; there are {}", KEYS.join(", ")),
                    nearest: nearest(key, KEYS).map(str::to_owned),
                });
            }
        }
    }
    Ok(change)
}

fn priority(value: &str) -> Result<Priority, Failure> {
    Priority::named(value).ok_or_else(|| {
        let words = Priority::ALL.map(Priority::name);
        Failure::UsageNear {
            sentence: format!("priority={value}: it is one of {}", words.join(", ")),
            nearest: nearest(value, words).map(str::to_owned),
        }
    })
}

fn seconds(key: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| Failure::Usage(format!("{key}={value}: it is a whole number of seconds")))
}

fn truth(key: &str, value: &str) -> Result<bool, Failure> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Ok(true),
        "false" | "off" | "no" => Ok(false),
        _ => Err(Failure::Usage(format!("{key}={value}: it is true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<ChangeJob, Failure> {
        parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn every_property_can_be_set() {
        let texts = KEYS.map(|key| match key {
            "priority" => "priority=LOW".to_owned(),
            "complete-when-done" => "complete-when-done=on".to_owned(),
            key if key.ends_with("y") || key.ends_with("t") => format!("{key}=7"),
            key => format!("{key}=a=b"),
        });
        let change = parse(&texts).expect("a change");
        assert_eq!(
            change,
            ChangeJob {
                display_name: Some("a=b".to_owned()),
                description: Some("a=b".to_owned()),
                priority: Some("low".to_owned()),
                minimum_retry_delay: Some(7),
                no_progress_timeout: Some(7),
                complete_when_done: Some(true),
                ..ChangeJob::default()
            }
        );
    }

    #[test]
    fn what_is_no_property_or_no_value_is_named() {
        for (texts, expected, near) in [
            (&["low"][..], "`low` is no change; write KEY=VALUE", None),
            (&["priorty=low"], "there is no property `priorty`", Some("priority")),
            (&["priority=hi"], "priority=hi: it is one of foreground", None),
            (&["priority=lwo"], "priority=lwo: it is one of", None),
            (&["minimum-retry-delay=-1"], "minimum-retry-delay=-1: it is a whole number of seconds", None),
            (&["complete-when-done=maybe"], "complete-when-done=maybe: it is true or false", None),
            (&["priority=low", "priority=high"], "`priority` is given twice", None),
        ] {
            let (sentence, nearest) = match parsed(texts) {
                Err(Failure::Usage(sentence)) => (sentence, None),
                Err(Failure::UsageNear { sentence, nearest }) => (sentence, nearest),
                other => panic!("{other:?}"),
            };
            assert!(sentence.starts_with(expected), "{sentence}");
            assert_eq!(nearest.as_deref(), near, "{texts:?}");
        }
    }
}
