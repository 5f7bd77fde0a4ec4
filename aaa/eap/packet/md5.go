package packet

// AppendMD5 writes the Type-Data of an MD5-Challenge: the size of the value, the value, and a name (RFC 3748 section 5.4, RFC
// 1994 section 4.1).
func AppendMD5(b, value []byte, name string) []byte {
	b = append(append(b, byte(len(value))), value...)
	return append(b, name...)
}

// ParseMD5 reads it.
func ParseMD5(data []byte) (value []byte, name string, err error) {
	if len(data) == 0 || int(data[0]) > len(data)-1 {
		return nil, "", ErrMalformed
	}
	n := 1 + int(data[0])
	return data[1:n], string(data[n:]), nil
}
