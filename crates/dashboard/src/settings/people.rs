use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use askama::Template;
use astranetmon_auth::{Password, PasswordHash};
use astranetmon_domain::{User, UserEmail, UserId, UserRole};
use astranetmon_http::{ApiError, SignedIn, seeded_by_system};
use astranetmon_storage::NewUser;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::role_means;
use super::form::{chosen_password, email, refused, told};
use super::frame::{Frame, Moment, Tab};
use super::secret_answer::shown_once;
use crate::DashboardState;
use crate::page::{Page, Section, render};

/// A role as forms offer it.
pub(crate) struct RoleView {
    pub(crate) name: &'static str,
    pub(crate) means: &'static str,
}

/// A person as their row shows them.
pub(crate) struct PersonView {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) role: &'static str,
    pub(crate) created: Moment,
    pub(crate) disabled: Option<Moment>,
    pub(crate) is_reader: bool,
    /// Whether the reader may change this person.
    pub(crate) may_change: bool,
}

#[derive(Template)]
#[template(path = "settings/people.html")]
struct PeoplePage {
    page: Page,
    frame: Frame,
    people: Vec<PersonView>,
    /// Those that the reader may give.
    roles: Vec<RoleView>,
    shortest: usize,
    longest: usize,
}

/// Everybody in the account.
#[get("/settings/people")]
pub(crate) async fn page(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let people = state.api.storage().user_list(&signed_in.reads_account()?).await?;
    let reader = signed_in.user();
    let roles = [UserRole::Viewer, UserRole::Admin, UserRole::Owner].into_iter().filter(|&role| role <= reader.role);
    let view = |user: User| PersonView {
        is_reader: user.id == reader.id,
        may_change: reader.role >= UserRole::Admin && user.id != reader.id && user.role <= reader.role,
        id: user.id,
        email: user.email.to_string(),
        role: user.role.as_str(),
        created: user.created_at.into(),
        disabled: user.disabled_at.map(Moment::from),
    };
    render(&PeoplePage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::People),
        people: people.into_iter().map(view).collect(),
        roles: roles.map(|role| RoleView { name: role.as_str(), means: role_means(role) }).collect(),
        shortest: Password::SHORTEST,
        longest: Password::LONGEST,
    })
}

fn in_json(user: &User) -> Value {
    json!({
        "id": user.id.0,
        "email": user.email.as_str(),
        "role": user.role.as_str(),
        "created_at": user.created_at.to_string(),
        "disabled_at": user.disabled_at.map(|at| at.to_string()),
    })
}

/// A person's new password: what was typed, or one that is made up and has to be shown.
async fn password(
    state: &DashboardState,
    typed: Option<String>,
    email: &UserEmail,
) -> Result<(PasswordHash, Option<String>), ApiError> {
    let mut rng = seeded_by_system()?;
    let (password, made_up) = match typed {
        Some(text) => (chosen_password(text, email)?, None),
        None => {
            let password = Password::generate(&mut rng);
            let text = password.reveal().to_owned();
            (password, Some(text))
        }
    };
    let hash = state.api.passwords().hash(password, rng).await?;
    Ok((hash, made_up))
}

fn role(text: Option<&str>) -> Result<UserRole, ApiError> {
    let role = text.and_then(|text| text.parse().ok());
    role.ok_or_else(|| refused("A role is viewer, admin or owner"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    email: Option<String>,
    role: Option<String>,
    password: Option<String>,
}

/// Adds a person, with the password that was typed or one that is shown this once.
#[post("/settings/people")]
pub(crate) async fn add(
    signed_in: SignedIn,
    form: web::Json<NewPerson>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let (form, clock) = (form.into_inner(), state.api.clock());
    let new = NewUser { email: email(form.email)?, role: role(form.role.as_deref())? };
    // What is wrong with the password is told before anything is stored.
    let (hash, made_up) = password(&state, form.password, &new.email).await?;
    let storage = state.api.storage();
    let user = storage.user_create(&scope, &new, clock.now()).await.map_err(told)?;
    // Later, so that the audit log has them in this order.
    let user = storage.user_set_password(&scope, user.id, &hash, clock.now()).await.map_err(told)?;
    let user = user.ok_or(ApiError::NotFound)?;
    Ok(shown_once(StatusCode::CREATED, &json!({ "user": in_json(&user), "password": made_up })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    role: Option<String>,
}

/// Changes what a person may do.
#[post("/settings/people/{id}/role")]
pub(crate) async fn set_role(
    signed_in: SignedIn,
    id: web::Path<i64>,
    form: web::Json<NewRole>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = somebody_else(&signed_in, *id, "Somebody else changes your role")?;
    let role = role(form.role.as_deref())?;
    let now = state.api.clock().now();
    changed(state.api.storage().user_set_role(&scope, id, role, now).await.map_err(told)?)
}

fn somebody_else(signed_in: &SignedIn, id: i64, sentence: &str) -> Result<UserId, ApiError> {
    let id = UserId(id);
    if signed_in.user().id == id { Err(refused(sentence)) } else { Ok(id) }
}

fn changed(user: Option<User>) -> Result<HttpResponse, ApiError> {
    let user = user.ok_or(ApiError::NotFound)?;
    Ok(HttpResponse::Ok().json(json!({ "user": in_json(&user) })))
}

async fn set_disabled(
    signed_in: SignedIn,
    id: i64,
    disabled: bool,
    state: &DashboardState,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = somebody_else(&signed_in, id, "You cannot disable yourself: another owner or admin does")?;
    let now = state.api.clock().now();
    changed(state.api.storage().user_set_disabled(&scope, id, disabled, now).await.map_err(told)?)
}

/// Keeps a person from signing in and ends their sessions.
#[post("/settings/people/{id}/disable")]
pub(crate) async fn disable(
    signed_in: SignedIn,
    id: web::Path<i64>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(signed_in, *id, true, &state).await
}

/// Lets a person sign in again.
#[post("/settings/people/{id}/enable")]
pub(crate) async fn enable(
    signed_in: SignedIn,
    id: web::Path<i64>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(signed_in, *id, false, &state).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: Option<String>,
}

/// Gives a person another password, which is shown this once if it was made up; all of their sessions end.
#[post("/settings/people/{id}/password")]
pub(crate) async fn reset_password(
    signed_in: SignedIn,
    id: web::Path<i64>,
    form: web::Json<NewPassword>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = somebody_else(&signed_in, *id, "Change your own password under Settings, Account")?;
    let storage = state.api.storage();
    let people = storage.user_list(&scope.read_account()).await?;
    let person = people.into_iter().find(|user| user.id == id).ok_or(ApiError::NotFound)?;
    let (hash, made_up) = password(&state, form.into_inner().password, &person.email).await?;
    let now = state.api.clock().now();
    let user = storage.user_set_password(&scope, id, &hash, now).await.map_err(told)?;
    let user = user.ok_or(ApiError::NotFound)?;
    Ok(shown_once(StatusCode::OK, &json!({ "user": in_json(&user), "password": made_up })))
}
