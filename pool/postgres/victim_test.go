package postgres

const victim = "LNSGATE_POOL_VICTIM"

func beVictim() {}
