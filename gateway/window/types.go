package window

import "time"

// Kind is what Decide says about one item.
type Kind string

// The kinds.
const (
	// Open: no object is known for the fingerprint; it has one of the group's slots.
	Open Kind = "open"
	// Member: it belongs to the group's storm, but its place there is not confirmed yet.
	Member Kind = "member"
	// Duplicate: its incident is open and its object known to exist.
	Duplicate Kind = "duplicate"
	// Expired: its incident was last seen longer than a window ago.
	Expired Kind = "expired"
	// Resolved: a resolved notification of a known incident.
	Resolved Kind = "resolved"
	// Ignored: a resolved notification of nothing known.
	Ignored Kind = "ignored"
	// Unknown: Redis knows nothing of the group, or has lost what it knew of this item.
	// Nothing was claimed; ask Kubernetes and decide again with a Seed.
	Unknown Kind = "unknown"
	// Looked: the item asked for a look alone.
	Looked Kind = "looked"
)

// MaxItems is the greatest number of items in one script call: a script blocks the server.
const MaxItems = 200

// Group is the storm group that all items of a call share, and how it is bounded.
type Group struct {
	// Tag is 16 hex digits; all keys of the group share it as their hash tag.
	Tag       string
	Threshold int
	Window    time.Duration
}

// Request is what is common to all items of one HTTP request.
type Request struct {
	// ID is unique to it.
	ID string
	// NewStorm is the id that a storm gets if this request opens one; unique as well.
	NewStorm string
	// Count asks Decide to count at once where every item is known and confirmed.
	Count bool
	// Seed is what Kubernetes knows of the group, nil where it was not asked.
	Seed *Seed
}

// Seed is what Kubernetes knows of a group.
type Seed struct {
	// Openings took one of the group's slots.
	Openings []Opening
	// Storm is the one that new members join, nil if there is none.
	Storm *SeedStorm
	// Totals are those of the storms whose members are still repeated.
	Totals []SeedTotals
}

// Opening is an object of its own, and when it opened.
type Opening struct {
	Fingerprint string
	At          time.Time
}

// SeedStorm is an open storm; Last is when its newest member joined.
type SeedStorm struct {
	ID, UID string
	Last    time.Time
}

// SeedTotals are the sums over a storm's members. What began until Newest is among them.
type SeedTotals struct {
	ID                                                string
	Members, Occurrences, Deliveries, Renotifications int64
	LastSeen, ResolvedAt, Newest                      time.Time
}

// Freed says that an object was deleted.
type Freed struct {
	Fingerprint, UID string
	// Storm is the object's id if it stood for a storm: NewStorm is what the next member opens.
	Storm, NewStorm string
}

// Item is one fingerprint of a request, with all its alerts there.
type Item struct {
	Fingerprint string
	// Episodes are the distinct startsAt of its firing alerts; empty if all are resolved.
	Episodes []time.Time
	// ResolvedAt is the newest endsAt of its resolved alerts, zero if there is none.
	ResolvedAt time.Time
	// Over is the UID of an incident that Kubernetes says is over: forget it.
	Over string
	// Look claims nothing: Kubernetes has an incident of it, and only Decision.Pending is asked for.
	Look bool
}

// Object is the RemediationRequest behind an incident; of a member, the storm's own.
type Object struct {
	UID       string `json:"uid"`
	Namespace string `json:"ns"`
	Name      string `json:"name"`
}

// Decision is what is known of an item.
type Decision struct {
	Kind Kind `json:"k"`
	// Object is empty when none is known to exist.
	Object
	// Incarnation of the object; for Open, the last one known to be over, 0 for none.
	Incarnation int `json:"n"`
	// Storm is the id of the storm that the item is a member of, "" if of none.
	Storm string `json:"storm"`
	// Claimed: it was not known before this request.
	Claimed bool `json:"claimed"`
	// Pending: it was claimed and never confirmed, so nothing of it was ever counted.
	Pending bool `json:"pending"`
	// StormUID is that of the storm's object, "" where none is known to exist.
	StormUID string `json:"stormUID"`
}

// Settled is an item whose object is durable.
type Settled struct {
	Item
	Object
	Incarnation int
	Storm       string
	// Occurrences, Deliveries and Renotifications that the object already had where Redis knew
	// nothing, and the newest startsAt among them.
	Occurrences, Deliveries, Renotifications int64
	Newest, LastSeen                         time.Time
	// Members is how many the storm has.
	Members int64
	// Since is the startsAt of a fingerprint that Redis did not know and that turned out to be
	// a member already; zero for all others.
	Since time.Time
}

// Counts are the counters of an item; the storm's are sums over all members, 0 where the
// item is no member. A renotification is a delivery that brought no new episode.
type Counts struct {
	Occurrences     int64 `json:"occ"`
	Deliveries      int64 `json:"del"`
	Renotifications int64 `json:"ren"`
	// LastSeen, ResolvedAt and Newest (the newest startsAt counted) in milliseconds since
	// 1970; 0 for never.
	LastSeen             int64 `json:"last,string"`
	ResolvedAt           int64 `json:"res,string"`
	Newest               int64 `json:"new,string"`
	StormMembers         int64 `json:"sm"`
	StormOccurrences     int64 `json:"so"`
	StormDeliveries      int64 `json:"sd"`
	StormRenotifications int64 `json:"sr"`
}
