// A client of the SPIFFE Workload API and of bundle endpoints made of go-spiffe alone, for tests: says as JSON lines what it is served.
package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type svidLine struct {
	ID       string   `json:"id"`
	Hint     string   `json:"hint"`
	Chain    []string `json:"chain"`
	Verified string   `json:"verified"`
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Ends with its standard input.
	go func() {
		bufio.NewReader(os.Stdin).ReadString(0)
		cancel()
	}()
	address := workloadapi.WithAddr("unix://" + os.Args[2])
	var err error
	switch os.Args[1] {
	case "watch":
		err = workloadapi.WatchX509Context(ctx, watcher{}, address)
	case "source":
		err = source(ctx, address)
	case "bundles":
		err = bundles(ctx, address)
	case "jwt":
		err = jwt(ctx, address, os.Args[3])
	case "validate":
		err = validate(ctx, address, os.Args[3], os.Args[4])
	case "fetch-bundle":
		err = fetchBundle(ctx, os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6], os.Args[7])
	case "serve-bundle":
		err = serveBundle(ctx, os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	default:
		err = fmt.Errorf("unknown command %s", os.Args[1])
	}
	if err != nil && ctx.Err() == nil {
		say(map[string]string{"error": err.Error()})
		os.Exit(1)
	}
}

func say(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

type watcher struct{}

func (watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	lines := []svidLine{}
	for _, svid := range update.SVIDs {
		line := svidLine{ID: svid.ID.String(), Hint: svid.Hint}
		for _, certificate := range svid.Certificates {
			line.Chain = append(line.Chain, base64.StdEncoding.EncodeToString(certificate.Raw))
		}
		if id, _, err := x509svid.Verify(svid.Certificates, update.Bundles); err != nil {
			line.Verified = err.Error()
		} else {
			line.Verified = id.String()
		}
		lines = append(lines, line)
	}
	domains := map[string][]string{}
	for _, bundle := range update.Bundles.Bundles() {
		domains[bundle.TrustDomain().Name()] = certificates(bundle.X509Authorities())
	}
	say(map[string]any{"svids": lines, "bundles": domains})
}

func (watcher) OnX509ContextWatchError(err error) {
	say(map[string]string{"watchError": err.Error()})
}

func certificates(all []*x509.Certificate) []string {
	texts := []string{}
	for _, each := range all {
		texts = append(texts, base64.StdEncoding.EncodeToString(each.Raw))
	}
	return texts
}

func source(ctx context.Context, address workloadapi.ClientOption) error {
	found, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(address))
	if err != nil {
		return err
	}
	defer found.Close()
	svid, err := found.GetX509SVID()
	if err != nil {
		return err
	}
	say(map[string]string{"id": svid.ID.String()})
	return nil
}

func bundles(ctx context.Context, address workloadapi.ClientOption) error {
	set, err := workloadapi.FetchX509Bundles(ctx, address)
	if err != nil {
		return err
	}
	domains := map[string][]string{}
	for _, bundle := range set.Bundles() {
		domains[bundle.TrustDomain().Name()] = certificates(bundle.X509Authorities())
	}
	say(map[string]any{"bundles": domains})
	return nil
}

func jwt(ctx context.Context, address workloadapi.ClientOption, audience string) error {
	svid, err := workloadapi.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience}, address)
	if err != nil {
		return err
	}
	set, err := workloadapi.FetchJWTBundles(ctx, address)
	if err != nil {
		return err
	}
	answer := map[string]any{"id": svid.ID.String(), "token": svid.Marshal(), "bundles": documents(set)}
	if parsed, err := jwtsvid.ParseAndValidate(svid.Marshal(), set, []string{audience}); err != nil {
		answer["verified"] = err.Error()
	} else {
		answer["verified"] = parsed.ID.String()
	}
	say(answer)
	return nil
}

func documents(set *jwtbundle.Set) map[string]any {
	all := map[string]any{}
	for _, bundle := range set.Bundles() {
		document, err := bundle.Marshal()
		if err != nil {
			panic(err)
		}
		all[bundle.TrustDomain().Name()] = json.RawMessage(document)
	}
	return all
}

func validate(ctx context.Context, address workloadapi.ClientOption, audience string, token string) error {
	svid, err := workloadapi.ValidateJWTSVID(ctx, token, audience, address)
	if err != nil {
		return err
	}
	say(map[string]any{"id": svid.ID.String(), "claims": svid.Claims})
	return nil
}

// Of an endpoint that proves itself by its SVID, against the bundle in a file; and what a token is by what was fetched.
func fetchBundle(ctx context.Context, url, domain, file, endpoint, audience, token string) error {
	trustDomain, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return err
	}
	known, err := spiffebundle.Load(trustDomain, file)
	if err != nil {
		return err
	}
	id, err := spiffeid.FromString(endpoint)
	if err != nil {
		return err
	}
	fetched, err := federation.FetchBundle(ctx, trustDomain, url, federation.WithSPIFFEAuth(known, id))
	if err != nil {
		return err
	}
	sequence, _ := fetched.SequenceNumber()
	hint, _ := fetched.RefreshHint()
	keys := []string{}
	for id := range fetched.JWTAuthorities() {
		keys = append(keys, id)
	}
	answer := map[string]any{"sequence": sequence, "hintSeconds": hint.Seconds(), "authorities": certificates(fetched.X509Authorities()), "jwtKeys": keys}
	if parsed, err := jwtsvid.ParseAndValidate(token, fetched, []string{audience}); err != nil {
		answer["verified"] = err.Error()
	} else {
		answer["verified"] = parsed.ID.String()
	}
	say(answer)
	return nil
}

// Serves the bundle in a file as an endpoint that proves itself by a certificate of the web.
func serveBundle(ctx context.Context, domain, file, certificate, key string) error {
	trustDomain, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return err
	}
	bundle, err := spiffebundle.Load(trustDomain, file)
	if err != nil {
		return err
	}
	handler, err := federation.NewHandler(trustDomain, bundle)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	say(map[string]any{"port": listener.Addr().(*net.TCPAddr).Port})
	server := http.Server{Handler: handler}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	return server.ServeTLS(listener, certificate, key)
}
