package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"lnsgate/aaa"
	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

func newOperatorCommand() *cobra.Command {
	return group("operator", "Make tokens and passwords of operators, for the configuration",
		`operator makes what an item of admin.operators in the configuration needs: a token for a program, or a password for a
person on the page. The configuration holds only hashes; after a change: lnsgate reload.`,
		`  lnsgate operator token
  lnsgate operator password --stdin < password`,
		newOperatorTokenCommand(), newOperatorPasswordCommand())
}

func newOperatorTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "token", Short: "Make a token and its hash",
		Long: `token makes a token of 256 random bits. It is shown once: give it to the program, as Authorization: Bearer TOKEN. The hash
goes into the configuration.`,
		Example: `  lnsgate operator token`,
		Args:    onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token := admin.NewToken()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "token (shown once):  %s\nin admin.operators:  {name: NAME, role: view, token_sha256: %s}\n",
				token, admin.HashToken(token))
			return err
		},
	}
}

// shortestPassword is what the configuration demands of one in clear.
const shortestPassword = 12

func newOperatorPasswordCommand() *cobra.Command {
	var stdin bool
	cmd := &cobra.Command{
		Use: "password --stdin", Short: "Make the hash of a password",
		Long:    `password reads a password, one line, and prints what goes into the configuration: an argon2id hash.`,
		Example: `  lnsgate operator password --stdin < password`,
		Args:    onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !stdin {
				return errors.New("where is the password? give it on standard input: lnsgate operator password --stdin < FILE")
			}
			line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if err != nil && err != io.EOF {
				return err
			}
			password := strings.TrimRight(line, "\r\n")
			if len(password) < shortestPassword {
				return fmt.Errorf("a password of %d octets can be guessed; at least %d", len(password), shortestPassword)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "in admin.operators:  {name: NAME, role: administer, password_hash: %q}\n",
				admin.HashPassword(aaa.NewSecret(password)))
			return err
		},
	}
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read it from standard input")
	return cmd
}
