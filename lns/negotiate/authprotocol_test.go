package negotiate

import (
	"slices"
	"testing"

	"lnsgate/aaa"
)

func TestAuthProtocolsAreMethodsAndBack(t *testing.T) {
	methods := []aaa.Method{aaa.EAP, aaa.MSCHAPv2, aaa.CHAP, aaa.PAP}
	list := AuthProtocolsOf(methods)
	if want := []AuthProtocol{AuthEAP, AuthMSCHAPv2, AuthCHAPMD5, AuthPAP}; !slices.Equal(list, want) {
		t.Errorf("%v became %v, want %v", methods, list, want)
	}
	for i, a := range list {
		if a.Method() != methods[i] {
			t.Errorf("%v is %v, want %v", a, a.Method(), methods[i])
		}
	}
	if list := AuthProtocolsOf([]aaa.Method{aaa.MethodNone, aaa.MSCHAPv1, aaa.CHAP}); !slices.Equal(list, []AuthProtocol{AuthCHAPMD5}) {
		t.Errorf("%v", list)
	}
	if AuthNone.Method() != aaa.MethodNone || AuthProtocol(99).Method() != aaa.MethodNone {
		t.Error("what is no protocol has a method")
	}
}
