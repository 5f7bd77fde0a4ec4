package trace

// Cause is the typed reason for the end of a session or of an attempt to open one. What each of them means and what to do
// about it stands in the table of causes.
type Cause uint8

// The causes, grouped by the step of a login in which they strike.
const (
	Unknown Cause = iota

	// Tunnel.
	NoGroup
	IPsecRequired
	TunnelLimit
	SourceLimit
	ProtocolVersion
	MalformedMessage
	TunnelSecretWrong
	TunnelSecretMissing
	TunnelSecretRefused
	TunnelSecretUnknown
	TunnelNoAnswer
	TunnelLost
	TunnelClosed
	TunnelShutdown
	TunnelIdle
	PeerRestarted

	// Call.
	CallClosed
	CallRefused
	CallNotConnected
	TooManySessions
	TunnelSessions
	MadeRoom
	SetupTimeout

	// Link.
	LinkNoAnswer
	LinkOneWay
	LinkNotConverging
	LinkLooped
	LinkRejected
	PeerTerminated
	EchoLost
	AuthenticationRefused

	// Authentication.
	AuthenticationNoAnswer
	ChallengeNoAnswer
	PeerGaveUp
	EAPNoMethod
	EAPFailed
	UnknownUser
	NearMissDomain
	NearMissName
	WrongPassword
	AccountDisabled
	AccountExpired
	UnknownDomain
	DomainBlocked
	MalformedName
	MalformedProof
	MethodNotAllowed
	NoCredentialForMethod
	AuthenticationRejected
	RADIUSRefused
	RADIUSNoAnswer
	RADIUSWrongSecret
	RADIUSUnsigned
	RADIUSGrant
	DatabaseAway
	AuthenticationUnavailable
	AuthenticationTimeout
	TooManyChecks
	AccountSessions
	DomainSessions
	AccountDelayed
	SourceDelayed
	AccountBanned
	SourceBanned
	Misconfigured
	NoSuchPool
	NoSuchFilter
	NoSuchTemplate
	RouteTaken
	SealKeyMissing

	// Address.
	NoAddress
	AddressInUse
	NoPool
	AddressFault

	// Network.
	IPCPNoAnswer
	IPCPNotConverging
	IPCPRejected
	PeerClosedIPCP

	// Data path and life.
	DataPathFault
	IdleTimeout
	SessionTimeout
	Kicked
	Requested
	AccountChanged
	Displaced
	LeaseLost
	Shutdown

	// Not a fault.
	InProgress
	LoggedIn

	causeCount
)
