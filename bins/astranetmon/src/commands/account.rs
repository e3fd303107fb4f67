use astranetmon_auth::{ManageAccount, Scope};
use astranetmon_domain::{Account, AccountName, Plan, Retention};
use astranetmon_storage::RetentionSetting;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{DatabaseArguments, Office, REASON};
use crate::configuration::Environment;
use crate::output::table;
use crate::{Failure, OutputFormat};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account
    Create {
        /// Unique among accounts; 1 to 100 characters
        name: AccountName,
        /// starter, professional or enterprise
        #[arg(long)]
        plan: Plan,
        #[command(flatten)]
        common: AccountArguments,
    },
    /// List all accounts
    List {
        #[command(flatten)]
        common: AccountArguments,
    },
    /// Change an account's plan; acts within a second
    SetPlan {
        /// The account's name
        name: AccountName,
        /// starter, professional or enterprise
        plan: Plan,
        #[command(flatten)]
        common: AccountArguments,
    },
    /// Show or choose how long an account's measured data is kept
    Retention {
        /// The account's name
        #[arg(long, value_name = "NAME")]
        account: AccountName,
        /// Days of samples as they came
        #[arg(long, value_name = "DAYS")]
        raw_days: Option<u32>,
        /// Days of hourly summaries, speed tests and traceroutes
        #[arg(long, value_name = "DAYS")]
        hourly_days: Option<u32>,
        /// Days of daily summaries
        #[arg(long, value_name = "DAYS")]
        daily_days: Option<u32>,
        /// Keep as long as the plan does
        #[arg(long, conflicts_with_all = ["raw_days", "hourly_days", "daily_days"])]
        plan_default: bool,
        #[command(flatten)]
        common: AccountArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct AccountArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

impl AccountCommand {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let (Self::Create { common, .. }
        | Self::List { common }
        | Self::SetPlan { common, .. }
        | Self::Retention { common, .. }) = &self;
        let office = Office::open(&common.database, environment).await?;
        let result = self.act(&office).await;
        office.finish(result).await
    }

    async fn act(self, office: &Office) -> Result<String, Failure> {
        match self {
            Self::Create { name, plan, common } => {
                let account = office.storage.account_create(&office.operator, &name, plan, office.now()).await?;
                Ok(one(&account, common.format))
            }
            Self::List { common } => {
                let accounts = office.storage.account_list(&office.operator).await?;
                Ok(match common.format {
                    OutputFormat::Text => lines(&accounts),
                    OutputFormat::Json => {
                        format!("{}\n", json!({ "accounts": accounts.iter().map(in_json).collect::<Vec<_>>() }))
                    }
                })
            }
            Self::SetPlan { name, plan, common } => {
                let scope = Scope::system(office.account(&name).await?.id, REASON);
                let account = office.storage.account_set_plan(&scope, plan, office.now()).await?;
                let account = account.ok_or_else(|| Failure::failed(format!("there is no account named {name}")))?;
                Ok(one(&account, common.format))
            }
            Self::Retention { account, raw_days, hourly_days, daily_days, plan_default, common } => {
                let scope: Scope<ManageAccount> = Scope::system(office.account(&account).await?.id, REASON);
                let setting = office.storage.retention_of(&scope.read_account()).await?;
                let choice = match (plan_default, raw_days.or(hourly_days).or(daily_days)) {
                    (true, _) => Some(None),
                    (false, None) => None,
                    // What is not given stays as it is.
                    (false, Some(_)) => {
                        let kept = setting.effective();
                        let choice = Retention::new(
                            raw_days.unwrap_or(kept.raw_days()),
                            hourly_days.unwrap_or(kept.hourly_days()),
                            daily_days.unwrap_or(kept.daily_days()),
                        );
                        Some(Some(
                            choice.map_err(|invalid| Failure::usage(format!("{invalid}, such as 31, 400 and 1100")))?,
                        ))
                    }
                };
                if let Some(choice) = choice {
                    office.storage.retention_set(&scope, choice, office.now()).await?;
                }
                Ok(retention(office.storage.retention_of(&scope.read_account()).await?, common.format))
            }
        }
    }
}

fn retention(setting: RetentionSetting, format: OutputFormat) -> String {
    let days = |kept: Retention| json!({ "raw_days": kept.raw_days(), "hourly_days": kept.hourly_days(), "daily_days": kept.daily_days() });
    match format {
        OutputFormat::Text => {
            let row = |what: &str, kept: Option<Retention>| {
                let days =
                    |days: fn(Retention) -> u32| kept.map_or_else(|| "-".to_owned(), |kept| days(kept).to_string());
                [what.to_owned(), days(Retention::raw_days), days(Retention::hourly_days), days(Retention::daily_days)]
            };
            let rows = [
                row("kept", Some(setting.effective())),
                row("chosen", setting.chosen),
                row("plan", Some(setting.plan)),
            ];
            table(["DAYS", "RAW", "HOURLY", "DAILY"], &rows)
        }
        OutputFormat::Json => format!(
            "{}\n",
            json!({ "kept": days(setting.effective()), "chosen": setting.chosen.map(days), "plan": days(setting.plan) })
        ),
    }
}

fn one(account: &Account, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => lines(std::slice::from_ref(account)),
        OutputFormat::Json => format!("{}\n", in_json(account)),
    }
}

fn lines(accounts: &[Account]) -> String {
    let row = |account: &Account| {
        [account.id.to_string(), account.name.to_string(), account.plan.to_string(), account.created_at.to_string()]
    };
    table(["ID", "NAME", "PLAN", "CREATED"], &accounts.iter().map(row).collect::<Vec<_>>())
}

fn in_json(account: &Account) -> Value {
    json!({
        "id": account.id.0,
        "name": account.name.as_str(),
        "plan": account.plan.as_str(),
        "created_at": account.created_at.to_string(),
    })
}
