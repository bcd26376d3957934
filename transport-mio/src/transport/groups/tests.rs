use super::*;

fn address(number: u8) -> SocketAddr {
    ([127, 0, 0, number], 80).into()
}

fn v6(number: u16) -> SocketAddr {
    ([0, 0, 0, 0, 0, 0, 0, number], 80).into()
}

/// Where each lane leads.
type Wanted<'a> = &'a [&'a [SocketAddr]];

/// Lanes, the slot that each is given, and the slots that are left.
type Case<'a> = (Wanted<'a>, &'a [Option<usize>], &'a [usize]);

/// Members in the slots 0, 1 …, of their remotes and lanes.
fn members(all: &[(Option<SocketAddr>, &[SocketAddr])]) -> Vec<Member> {
    let members = all.iter().enumerate();
    members
        .map(|(slot, (remote, lane))| Member { slot, remote: *remote, lane: lane.to_vec() })
        .collect()
}

fn lanes(all: Wanted<'_>) -> Vec<Addresses> {
    all.iter().map(|lane| Addresses { from: None, to: lane.to_vec() }).collect()
}

#[test]
fn connections_stay_where_their_addresses_are() {
    let [a, b, c, d] = [1, 2, 3, 4].map(address);
    let three = members(&[(Some(a), &[a]), (None, &[b]), (Some(c), &[c])]);
    let table: [Case<'_>; 6] = [
        (&[&[a], &[b], &[c]], &[Some(0), Some(1), Some(2)], &[]),
        (&[&[c], &[a], &[b]], &[Some(2), Some(0), Some(1)], &[]),
        (&[&[a], &[b], &[c], &[d]], &[Some(0), Some(1), Some(2), None], &[]),
        (&[&[b], &[d]], &[Some(1), None], &[0, 2]),
        (&[&[d]], &[None], &[0, 1, 2]),
        // Twice to each.
        (&[&[a], &[a], &[b], &[b]], &[Some(0), None, Some(1), None], &[2]),
    ];
    for (wanted, kept, dismissed) in table {
        let (keeps, mut dismisses) = assign(&three, &lanes(wanted));
        dismisses.sort_unstable();
        assert_eq!((&keeps[..], &dismisses[..]), (kept, dismissed), "{wanted:?}");
    }
}

#[test]
fn what_is_connected_goes_before_what_could_be() {
    let ([a, b], [x, y]) = ([1, 2].map(address), [1, 2].map(v6));
    // One waits for either of its addresses, one has the second of them.
    let two = members(&[(None, &[a, x]), (Some(x), &[b, x])]);
    assert_eq!(assign(&two, &lanes(&[&[a, x]])), (vec![Some(1)], vec![0]));
    assert_eq!(assign(&two, &lanes(&[&[a, y], &[b, x]])), (vec![Some(0), Some(1)], vec![]));
    // Where it could go does not count once it is somewhere.
    assert_eq!(assign(&two, &lanes(&[&[b]])), (vec![None], vec![0, 1]));
}
