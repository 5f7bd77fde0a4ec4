package postgres

// How the server finds rows here: by an index, for each line of a list. Its planner cannot know that. It thinks of disks,
// and of what the tables held when it last looked: every lease was bound a minute ago, so next to nothing is in quarantine,
// so it is cheapest to read all that is and to compare it with each line. By now they are all in quarantine, and it takes
// the server half a minute. So statements with lists look rows up in a lateral subquery with OFFSET 0, which has to be
// carried out line by line, and rows that change are then found by their ctid. The conditions are asked of those rows,
// because that is what the server looks at again when another transaction was quicker, in words that no partial index
// offers to answer. It has to be so also for plans that are made anew: they come from old statistics too.
const (
	byIndex = `set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('enable_memoize', 'off', true), set_config('jit', 'off', true)`

	// freshPlan has a statement planned anew each time: one kept from the first minute knows nothing of a full table.
	freshPlan = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true), ` + byIndex

	// keptPlan has each connection keep its first plan. It is for statements that leave the planner no choice; for a few
	// addresses, planning takes longer than all the rest. Without prepared statements they are planned each time after all.
	keptPlan = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), ` + byIndex
)
