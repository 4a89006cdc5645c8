package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// registry is ECR in an account and region.
type registry struct{ account, region string }

func (r registry) host() string { return r.account + ".dkr.ecr." + r.region + ".amazonaws.com" }

// authenticate asks ECR for a password of twelve hours.
func (r registry) authenticate(ctx context.Context) (authn.Authenticator, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.region))
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	answer, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, fmt.Errorf("ask ECR for a password: %w", err)
	}
	if len(answer.AuthorizationData) == 0 {
		return nil, errors.New("ask ECR for a password: it gave none")
	}
	return credentials(aws.ToString(answer.AuthorizationData[0].AuthorizationToken))
}

// credentials decodes ECR's token, which is USER:PASSWORD in base64.
func credentials(token string) (authn.Authenticator, error) {
	plain, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, fmt.Errorf("decode ECR's password: %w", err)
	}
	user, password, found := strings.Cut(string(plain), ":")
	if !found {
		return nil, errors.New("decode ECR's password: it has no user")
	}
	return &authn.Basic{Username: user, Password: password}, nil
}

// push uploads image, tagged by its own digest: tags are immutable, and ECR
// refuses one that it has.
func push(ctx context.Context, image v1.Image, to name.Repository, auth authn.Authenticator) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(auth)}
	_, err = remote.Head(to.Digest(digest.String()), options...)
	if err == nil {
		return nil // it is there
	}
	var refused *transport.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusNotFound {
		return fmt.Errorf("look for the image in %s: %w", to, err)
	}
	if err := remote.Write(to.Tag(digest.Algorithm+"-"+digest.Hex[:16]), image, options...); err != nil {
		return fmt.Errorf("push to %s: %w", to, err)
	}
	return nil
}
