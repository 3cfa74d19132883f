//! What administrators and customers do at Zendesk by hand.

use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::id::Email;

use super::world::World;
use crate::support::memory::{By, User};

impl World {
    /// An administrator does something at Zendesk.
    pub fn hand_event(&mut self) {
        let app = self.rng.below(self.rig.apps.len());
        let desk = self.rig.apps[app].1.clone();
        // What is in flight can't be told from what a hand did at the same moment.
        if self.rig.ledger.with(|state| !state.intents.is_empty()) {
            return;
        }
        let ids: Vec<u64> = desk.with(|desk| {
            desk.users
                .values()
                .filter(|user| user.live && user.id > 5 && user.email.is_some())
                .map(|user| user.id)
                .collect()
        });
        let kind = self.rng.below(9);
        if kind == 0 {
            return self.customer(app);
        }
        let Some(id) = self.rng.pick(&ids) else { return };
        self.tell(format!("by hand: kind {kind} on {id} in app {app}"));
        let given_up = desk.with(|desk| desk.users[&id].suspended.is_some() || desk.users[&id].role == Role::EndUser);
        if given_up {
            self.touched[app].insert(id);
        }
        // Lifted and set again between two looks, a suspension of ours can't be told from another's.
        let app_name = self.rig.apps[app].0.app.clone();
        let ours = self.rig.ledger.with(|state| {
            let mut known = state.accounts.iter().filter(|((app, _), known)| *app == app_name && known.account.0 == id);
            known.any(|(_, known)| known.standing.suspended_by_us())
        });
        desk.by_hand(|desk| match kind {
            1 => {
                let user = desk.users.get_mut(&id).unwrap();
                user.suspended = user.suspended.or(Some(if ours { By::Us } else { By::Hand }));
            }
            2 => {
                desk.users.get_mut(&id).unwrap().suspended = None;
            }
            3 => {
                if desk.set_role(id, Role::Admin, None).is_ok() {
                    desk.users.get_mut(&id).unwrap().raised_by_hand = true;
                }
            }
            4 => {
                let extra = desk.groups.iter().find(|(_, name)| *name == "Extra").map(|(id, _)| *id);
                let user = desk.users.get_mut(&id).unwrap();
                if user.role != Role::EndUser {
                    user.groups.extend(extra);
                    user.groups_by_hand.extend(extra);
                    // Whoever is in a group has a default one.
                    user.default_group = user.default_group.or(extra);
                }
            }
            5 => {
                let user = desk.users.get_mut(&id).unwrap();
                user.tags.insert("vip".into());
                user.tags_by_hand.insert("vip".into());
            }
            6 => desk.delete(id),
            7 => desk.users.get_mut(&id).unwrap().name = "Edited By Hand".into(),
            _ => {
                let _ = desk.set_role(id, Role::EndUser, None);
            }
        });
    }

    /// A customer appears with the address of somebody of the company.
    fn customer(&mut self, app: usize) {
        let at = self.rng.below(self.rig.directories.len());
        let mails: Vec<String> = self.rig.directories[at]
            .with(|company| company.people.values().map(|person| person.get("mail").to_owned()).collect());
        let Some(mail) = self.rng.pick(&mails) else { return };
        let Ok(email) = Email::parse(&mail) else { return };
        let role = if self.rng.one_in(3) { Role::Agent } else { Role::EndUser };
        let verified = !self.rng.one_in(3);
        let desk = self.rig.apps[app].1.clone();
        desk.by_hand(|desk| {
            if desk.by_email(&email).is_none() {
                let id = desk.next_id;
                desk.next_id += 1;
                let mut user = User::there(id, "Somebody", &mail, role);
                user.verified = verified;
                desk.add_user(user);
            }
        });
        self.tell(format!("by hand: a {role} account for {mail} in app {app}"));
    }
}
