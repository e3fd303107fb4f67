use astranetmon_auth::Scope;
use astranetmon_domain::{Account, AccountName, Plan};
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
        let (Self::Create { common, .. } | Self::List { common } | Self::SetPlan { common, .. }) = &self;
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
        }
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
