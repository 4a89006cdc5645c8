// Package account is the tier of what an AWS account has one of: its trail,
// its detectors, its settings. All environments in the account live with it,
// and none of them owns it.
package account
