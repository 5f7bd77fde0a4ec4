package postgres

import "context"

// dropLogins drops the months of logins that are older than they are to be kept.
func (u *Upkeep) dropLogins(ctx context.Context) error {
	if u.KeepLogins <= 0 {
		return nil
	}
	var dropped int
	if err := u.DB.QueryRow(ctx, "SELECT drop_logins($1::interval)", u.KeepLogins).Scan(&dropped); err != nil {
		return err
	}
	if dropped > 0 {
		u.Log.Info("dropped old months of the table logins", "months", dropped, "kept", u.KeepLogins)
	}
	return nil
}
