package trace

// General returns the coarse cause that this one is a case of, or the cause itself. What peers and accounting are told follows from
// it: a peer must not learn from the answer whether its name or its password was wrong.
func (c Cause) General() Cause {
	switch c {
	case UnknownUser, NearMissDomain, NearMissName, WrongPassword, AccountDisabled, AccountExpired, UnknownDomain, DomainBlocked,
		MalformedName, MalformedProof, MethodNotAllowed, NoCredentialForMethod, RADIUSRefused, RADIUSGrant, AccountSessions,
		DomainSessions, AccountDelayed, SourceDelayed, AccountBanned, SourceBanned, EAPNoMethod, EAPFailed, Misconfigured, NoSuchPool, NoSuchFilter,
		NoSuchTemplate, RouteTaken, SealKeyMissing:
		return AuthenticationRejected
	case RADIUSNoAnswer, RADIUSWrongSecret, RADIUSUnsigned, DatabaseAway, TooManyChecks:
		return AuthenticationUnavailable
	case LinkOneWay:
		return LinkNoAnswer
	case PeerGaveUp:
		return PeerTerminated
	case MadeRoom:
		return TooManySessions
	case LeaseLost:
		return Displaced
	case CallNotConnected, TunnelSessions:
		return CallRefused
	case TunnelNoAnswer, PeerRestarted:
		return TunnelLost
	case TunnelIdle, ProtocolVersion, MalformedMessage, TunnelSecretWrong, TunnelSecretMissing, TunnelSecretUnknown:
		return TunnelShutdown
	case TunnelSecretRefused:
		return TunnelClosed
	}
	return c
}
