//! Looking for groups on an operator's word: what a pin stands for, and what a text names, each for itself.

use super::members::{MembersFault, members};
use super::resolve::{FoundGroup, Resolution, resolve};
use super::search::Session;
use crate::domain::dn::Dn;
use crate::domain::scope::Tally;
use crate::engine::ports::{GroupLook, GroupOrder, GroupThere, Named, ReadFault};

/// Looks for each group; answers in their order.
pub(super) async fn look_for(session: &mut Session, groups: &[GroupOrder]) -> Result<Vec<GroupLook>, ReadFault> {
    let mut looks = Vec::new();
    for order in groups {
        let mut tally = Tally::default();
        let pinned = match order.pin {
            Some(_) => match resolve(session, order, &mut tally).await? {
                Resolution::Found(group) => Some(there(session, group).await?),
                Resolution::Missing | Resolution::Ambiguous(_) => None,
            },
            None => None,
        };
        let by_text = GroupOrder { group: order.group.clone(), pin: None };
        let named = match resolve(session, &by_text, &mut tally).await? {
            Resolution::Found(group) => Named::Found(there(session, group).await?),
            Resolution::Missing => Named::Missing,
            Resolution::Ambiguous(dns) => Named::Ambiguous(dns),
        };
        looks.push(GroupLook { pinned, named });
    }
    Ok(looks)
}

async fn there(session: &mut Session, group: FoundGroup) -> Result<GroupThere, ReadFault> {
    let own = group.dn.key();
    let mut count = 0;
    let read = members(session, group.dn.as_str(), &mut Tally::default(), &mut |value| {
        // groupOfNames must have a member (RFC 4519 3.5): an empty group often names itself.
        let dn = std::str::from_utf8(&value).ok().and_then(|text| Dn::parse(text).ok());
        let placeholder = value.iter().all(u8::is_ascii_whitespace) || dn.is_some_and(|dn| dn.key() == own);
        count += usize::from(!placeholder);
        Ok(())
    })
    .await;
    match read {
        Ok(_) => Ok(GroupThere { id: group.id, dn: group.dn, members: count }),
        Err(MembersFault::Moved(what)) => Err(ReadFault::Incomplete(what)),
        Err(MembersFault::Read(fault)) => Err(fault),
    }
}
