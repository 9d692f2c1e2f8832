//! `bits config explain`: the settings in force, where each came from, and what was overruled.

use bits_client::api::settings::{Setting, SettingList};

use super::Context;
use crate::arguments::Config;
use crate::exit::Failure;
use crate::nearest::nearest;
use crate::output::Output;

pub(super) async fn run(config: Config, context: &Context<'_>) -> Result<(), Failure> {
    let Config::Explain { key } = config;
    let session = context.session().await?;
    let mut settings = session.client.settings().await?.settings;
    if let Some(key) = key {
        let known: Vec<&str> = settings.iter().map(|setting| setting.key.as_str()).collect();
        if !known.contains(&key.as_str()) {
            let nearest = nearest(&key, known).map(str::to_owned);
            return Err(Failure::UsageNear { sentence: format!("there is no setting `{key}`"), nearest });
        }
        settings.retain(|setting| setting.key == key);
    }
    if context.output.is_json() {
        return context.output.result_json(&SettingList { settings });
    }
    settings.iter().try_for_each(|setting| explain(setting, context.output))
}

fn explain(setting: &Setting, output: &Output) -> Result<(), Failure> {
    output.result(&format!("{} = {}", setting.key, setting.value))?;
    output.result(&format!("    {}", setting.meaning))?;
    output.result(&format!("    from: {}", setting.origin))?;
    for overruled in &setting.overruled {
        output.result(&format!("    overrules {} from {}", overruled.value, overruled.origin))?;
    }
    Ok(())
}
