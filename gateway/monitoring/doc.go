// Package monitoring holds the alert rules and the dashboard of the gateway, beside the
// metrics that they name. Its tests keep the two together: a name that no gateway has is an
// alert that never fires.
package monitoring
