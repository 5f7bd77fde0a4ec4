package control

import "fmt"

// Why is what a tunnel or a call ended of, where its result code does not tell it. What the peer is sent follows from the result
// code alone.
type Why uint8

// The reasons.
const (
	WhyNone          Why = iota // the result code says all there is
	WhyVersion                  // the peer speaks another version of the protocol
	WhyMalformed                // the peer sent a message that cannot be read, or that has no place in the state
	WhySecretWrong              // the peer answered our challenge with another secret
	WhySecretMissing            // the peer did not answer our challenge
	WhySecretRefused            // the peer does not accept our answer to its challenge
	WhySecretUnknown            // there is no secret to answer the peer's challenge with, or to check its answer
	WhyUnanswered               // our SCCRP was never acknowledged
	WhyNotConnected             // set-up began and was not completed in time
	WhyTooManyCalls             // the tunnel has as many calls as it may
	whyCount
)

var whyWords = [whyCount]string{"nothing more", "another protocol version", "malformed message", "wrong secret", "no answer to the challenge",
	"our answer to the challenge was refused", "no secret", "no acknowledgement of SCCRP", "not completed in time", "too many calls"}

// String says it in words.
func (w Why) String() string {
	if w < whyCount {
		return whyWords[w]
	}
	return fmt.Sprintf("why %d", uint8(w))
}
