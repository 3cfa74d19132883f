//! The inverse of what a deed did to role, groups, default group and tags.

use std::collections::BTreeSet;

use crate::domain::account::ObservedAccount;
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::{FieldValue, Patch, Step, Suspension};
use crate::domain::deed::Since;
use crate::domain::id::GroupId;
use crate::domain::plan::undo::Short;

use super::{Turn, Work, role_of, turn};

impl Work<'_> {
    /// Answers the role that the account will have.
    pub(super) fn role(&mut self, patch: &mut Patch, before: &ObservedAccount, left: &ObservedAccount) -> Role {
        let (was, has) = (role_of(before), role_of(self.now));
        match turn(&was, &role_of(left), &has) {
            Turn::Stays => return has.0,
            Turn::Moved => {
                self.short.insert(Short::Moved("role"));
                return has.0;
            }
            Turn::Back => {}
        }
        let catalog = self.context.catalog;
        if let Some(id) = was.1.filter(|id| !catalog.custom_roles.values().any(|ids| ids.contains(id))) {
            let known = self.case.deed.known_before.as_ref().map(|known| known.written.role.clone());
            let name = match known {
                Some(RoleGrant::Custom(name)) => name,
                Some(RoleGrant::Plain(_)) | None => format!("custom role #{id}"),
            };
            self.short.insert(Short::RoleGone(name));
            return has.0;
        }
        let text = |(role, custom)| FieldValue::Text(catalog.role_name(role, custom).to_string());
        self.note("role", text(has), text(was));
        self.lost_or_raised = true;
        if was.0 != Role::EndUser {
            patch.role = Some(was);
        }
        was.0
    }

    /// Makes an end user again, which drops every membership.
    pub(super) fn downgrade(&mut self, steps: &mut Vec<Step>, left: &ObservedAccount, suspends: bool) {
        if self.now.role == Role::EndUser {
            return;
        }
        let catalog = self.context.catalog;
        let names = |ids: &BTreeSet<GroupId>| ids.iter().map(|id| catalog.group_name(*id)).collect::<BTreeSet<_>>();
        if !self.now.groups.is_empty() {
            self.note("groups", FieldValue::Set(names(&self.now.groups)), FieldValue::None);
        }
        let others: BTreeSet<GroupId> = self.now.groups.difference(&left.groups).copied().collect();
        if !others.is_empty() {
            self.short.insert(Short::GroupsLost(names(&others).into_iter().collect::<Vec<_>>().join(", ")));
        }
        steps.push(Step::Downgrade(if suspends { Suspension::Ours } else { Suspension::NotOurs }));
    }

    pub(super) fn groups(&mut self, steps: &mut Vec<Step>, before: &ObservedAccount, left: &ObservedAccount) {
        let (catalog, now) = (self.context.catalog, self.now);
        let there = |id: &GroupId| catalog.groups.values().any(|ids| ids.contains(id));
        let missed: BTreeSet<GroupId> =
            before.groups.difference(&left.groups).filter(|id| !now.groups.contains(id)).copied().collect();
        let (join, gone): (BTreeSet<GroupId>, BTreeSet<GroupId>) = missed.into_iter().partition(there);
        if !gone.is_empty() {
            self.short.insert(Short::GroupGone(self.gone_names(&gone)));
        }
        // Zendesk puts whoever becomes an agent into its default group by itself; an undoing that broke off may have
        // made an agent already.
        let regains = before.role != Role::EndUser && left.role == Role::EndUser;
        let promoted = now.role == Role::EndUser || (regains && self.case.since == Since::UnderWay);
        let automatic = catalog.default_group.filter(|id| promoted && !before.groups.contains(id));
        let ours = |id: &GroupId| (left.groups.contains(id) && !before.groups.contains(id)) || automatic == Some(*id);
        let stays: BTreeSet<GroupId> = now.groups.iter().filter(|id| !ours(id)).chain(&join).copied().collect();
        // An agent is in some group: the automatic one, where there is no other.
        let must: BTreeSet<GroupId> = now.groups.iter().copied().chain(automatic).collect();
        if stays.is_empty() && !must.is_empty() {
            let names: Vec<String> = must.iter().map(|id| catalog.group_name(*id)).collect();
            self.short.insert(Short::GroupStays(names.join(", ")));
        }
        let after = if stays.is_empty() { now.groups.clone() } else { stays };
        let leave: BTreeSet<GroupId> = now.groups.difference(&after).copied().collect();
        let automatic = automatic.filter(|id| !after.is_empty() && !after.contains(id) && !leave.contains(id));
        if after != now.groups {
            let names = |ids: &BTreeSet<GroupId>| ids.iter().map(|id| catalog.group_name(*id)).collect();
            self.note("groups", FieldValue::Set(names(&now.groups)), FieldValue::Set(names(&after)));
        }
        steps.extend(join.into_iter().map(Step::Join));
        let turned = turn(&before.default_group, &left.default_group, &now.default_group);
        let back = match turned {
            // Which one it becomes when the present one is left, or on the way up, is Zendesk's choice.
            Turn::Stays => promoted || now.default_group.is_some_and(|id| leave.contains(&id)),
            Turn::Back => true,
            Turn::Moved => promoted,
        };
        match before.default_group.filter(|id| after.contains(id)) {
            Some(id) if back => {
                let text = |id: GroupId| FieldValue::Text(catalog.group_name(id));
                if now.default_group != Some(id) {
                    self.note("default_group", now.default_group.map_or(FieldValue::None, text), text(id));
                }
                steps.push(Step::MakeDefault(id));
            }
            Some(_) if matches!(turned, Turn::Moved) => drop(self.short.insert(Short::Moved("default_group"))),
            Some(_) | None => {}
        }
        self.lost_or_raised |= !leave.is_empty();
        steps.extend(leave.into_iter().chain(automatic).map(Step::Leave));
    }

    /// The names of groups that aren't there any more, as the deed told them.
    fn gone_names(&self, gone: &BTreeSet<GroupId>) -> String {
        let told = self.case.deed.fields.iter().find(|one| one.field == "groups").map(|one| &one.before);
        let catalog = self.context.catalog;
        let names: Vec<String> = match told {
            Some(FieldValue::Set(names)) => {
                names.iter().filter(|name| !catalog.groups.contains_key(*name)).cloned().collect()
            }
            Some(FieldValue::None | FieldValue::Text(_) | FieldValue::Flag(_)) | None => Vec::new(),
        };
        if names.len() == gone.len() {
            return names.join(", ");
        }
        gone.iter().map(|id| format!("group #{id}")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn tags(&mut self, steps: &mut Vec<Step>, before: &ObservedAccount, left: &ObservedAccount) {
        let has = &self.now.tags;
        let add: BTreeSet<String> =
            before.tags.difference(&left.tags).filter(|tag| !has.contains(*tag)).cloned().collect();
        let remove: BTreeSet<String> =
            left.tags.difference(&before.tags).filter(|tag| has.contains(*tag)).cloned().collect();
        if add.is_empty() && remove.is_empty() || crate::planted("an undoing leaves the tags") {
            return;
        }
        let after = has.difference(&remove).chain(&add).cloned().collect();
        self.note("tags", FieldValue::Set(has.clone()), FieldValue::Set(after));
        if !add.is_empty() {
            steps.push(Step::AddTags(add));
        }
        if !remove.is_empty() {
            self.lost_or_raised = true;
            steps.push(Step::RemoveTags(remove));
        }
    }
}
