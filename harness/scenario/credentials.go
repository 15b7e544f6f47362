package scenario

// As says with which credentials a send comes: exactly one of its fields.
type As struct {
	Nobody      bool           `yaml:"nobody,omitempty" json:"nobody,omitempty" jsonschema_description:"Without any."`
	Token       *TokenOf       `yaml:"token,omitempty" json:"token,omitempty"`
	Basic       *BasicOf       `yaml:"basic,omitempty" json:"basic,omitempty"`
	HMAC        *HMACOf        `yaml:"hmac,omitempty" json:"hmac,omitempty"`
	Certificate *CertificateOf `yaml:"certificate,omitempty" json:"certificate,omitempty"`
	Again       string         `yaml:"again,omitempty" json:"again,omitempty" jsonschema_description:"The very headers that the first request of this step was sent with, as somebody who listened would send them."`
}

// TokenOf is a token that the API server makes for a service account.
type TokenOf struct {
	ServiceAccount string `yaml:"serviceAccount" json:"serviceAccount" jsonschema_description:"A service account in {{ns}}; apply makes it. Within a scenario, it has one token for each audience."`
	Audience       string `yaml:"audience,omitempty" json:"audience,omitempty" jsonschema_description:"What the token is for. Default: the API server itself, as in every Pod."`
}

// BasicOf is a name and a password.
type BasicOf struct {
	User     string `yaml:"user" json:"user"`
	Password string `yaml:"password" json:"password" jsonschema_description:"For example {{secret.pager}}."`
}

// HMACOf is a signature over each request, as Standard Webhooks have it.
type HMACOf struct {
	Secret string   `yaml:"secret" json:"secret" jsonschema_description:"NAME of {{base64.NAME}}, which is what the gateway's file holds."`
	ID     string   `yaml:"id,omitempty" json:"id,omitempty" jsonschema_description:"webhook-id. Default: another one for each request."`
	Age    Duration `yaml:"age,omitempty" json:"age,omitempty" jsonschema_description:"How old the signature is by the scenario's clock."`
	Ahead  Duration `yaml:"ahead,omitempty" json:"ahead,omitempty" jsonschema_description:"How far its time is in the future."`
}

// CertificateOf is a client certificate.
type CertificateOf struct {
	Name     string `yaml:"name" json:"name" jsonschema_description:"Its common name."`
	Stranger bool   `yaml:"stranger,omitempty" json:"stranger,omitempty" jsonschema_description:"Signed by an authority that nobody knows."`
}

// Parts of an authority's certificates that renew makes anew.
const (
	// RenewServer is the gateway's own certificate, by the same authority.
	RenewServer = "server"
	// RenewClients is the authority of client certificates.
	RenewClients = "clients"
)

// credentials checks who sends, with what is needed for it.
func (l *linter) credentials() {
	n := l.scenario.Needs
	if n.HTTPS && n.Replicas > 1 {
		l.add("needs.https", "the balancer before several replicas speaks plain HTTP", "leave out needs.replicas")
	}
	if n.System == Cluster && (n.HTTPS || len(l.scenario.Files) > 0) {
		l.add("needs.system", "Pods do not see the files of this machine", "write needs: {system: binary}")
	}
	signed := map[string]bool{}
	for _, v := range l.steps {
		l.sendAs(v, signed)
		if v.Renew != nil && !n.HTTPS {
			l.add(v.path+".renew", "there are no certificates", "write needs: {https: true}")
		}
		for _, name := range sortedKeys(v.Write) {
			if _, known := l.scenario.Files[name]; !known {
				l.add(v.path+".write."+name, "there is no file "+name+", so nobody reads it", "name it under files, with what it holds at first")
			}
		}
	}
}

func (l *linter) sendAs(v visited, signed map[string]bool) {
	s := v.Send
	if s == nil {
		return
	}
	if s.TLS != "" && !l.scenario.Needs.HTTPS {
		l.add(v.path+".send.tls", "the gateway speaks plain HTTP", "write needs: {https: true}")
	}
	if s.As == nil {
		return
	}
	signed[s.ID] = true
	if s.As.Again != "" && (!signed[s.As.Again] || s.As.Again == s.ID) {
		l.add(v.path+".send.as.again", "no step "+s.As.Again+" was sent before with credentials of its own", "name an earlier send that has as")
	}
	if s.As.Certificate != nil && !l.scenario.Needs.HTTPS {
		l.add(v.path+".send.as.certificate", "the gateway speaks plain HTTP", "write needs: {https: true}")
	}
	if s.As.HMAC != nil && s.Gzip {
		l.add(v.path+".send.as.hmac", "what is signed is the body as it is sent, and gzip comes after", "leave out gzip")
	}
}
