package l2tp

// AppendOptions says how to write a control message.
type AppendOptions struct {
	Secret       Secret // shared secret
	Hide         bool   // hide every AVP that may be hidden; needs Secret and RandomVector
	RandomVector []byte // fresh random octets, 16 advised
}

// writer is a message that can write its AVPs, all but the Message Type.
type writer interface{ write(*encoder) }

// Append appends the AVPs of a control message, without its header. The Message Type AVP comes first and is never
// hidden. A ZLB appends nothing. Values longer than an AVP can hold are cut.
func Append(b []byte, m Message, o AppendOptions) []byte {
	if m.Type() == TypeZLB {
		return b
	}
	e := encoder{b: b, secret: o.Secret}
	e.u16(attrMessageType, uint16(m.Type()))
	w, ok := m.(writer)
	if !ok {
		return e.b
	}
	if o.Hide && len(o.Secret) > 0 && len(o.RandomVector) > 0 {
		e.avp(attrRandomVector, o.RandomVector)
		e.vector = o.RandomVector[:min(len(o.RandomVector), maxValue)]
	}
	w.write(&e)
	return e.b
}
