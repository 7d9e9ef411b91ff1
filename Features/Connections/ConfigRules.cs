using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using FluentValidation;

namespace Bellhop.Features.Connections;

internal sealed class HttpConfigRules : AbstractValidator<HttpConfig>
{
    public HttpConfigRules(AddressPolicy addresses)
    {
        RuleFor(config => config.BaseUrl).IsBaseUrl(addresses);
        RuleFor(config => config.Auth).SetValidator(new HttpAuthRules(addresses)!);
        RuleFor(config => config.Rate)
            .Must(rate =>
                rate
                    is null
                        or { Requests: >= 1 and <= RateLimit.MaxRequests, Seconds: >= 1 and <= RateLimit.MaxSeconds }
            )
            .WithErrorCode("out_of_range")
            .WithMessage(
                $"A rate is {{\"requests\": 1 to {RateLimit.MaxRequests}, \"seconds\": 1 to {RateLimit.MaxSeconds}}}."
            );
        RuleFor(config => config.AllowedHosts).HasItems(0, HttpConfig.MaxAllowedHosts);
        RuleForEach(config => config.AllowedHosts).IsHost(addresses, Protocol.Https, 443);
    }
}

internal sealed class HttpAuthRules : AbstractValidator<HttpAuth>
{
    public HttpAuthRules(AddressPolicy addresses)
    {
        RuleFor(auth => auth.Type).IsOneOf(HttpAuth.Types).WithErrorCode("unknown_type");
        RuleFor(auth => auth.Name).BelongsTo(HttpAuth.Header, isRequired: true);
        RuleFor(auth => auth.Name)
            .Must(name => OutgoingHeaders.Check(name!, "") is null)
            .When(auth => auth is { Type: HttpAuth.Header, Name: not null })
            .WithErrorCode("invalid_name")
            .WithMessage("The name of a header that may be set, such as X-Api-Key.");
        RuleFor(auth => auth.User).BelongsTo(HttpAuth.Basic, isRequired: true);
        RuleFor(auth => auth.User)
            .Must(user =>
                user!.Length <= HttpAuth.MaxLength
                && !user.Contains(':', StringComparison.Ordinal)
                && !user.Any(char.IsControl)
            )
            .When(auth => auth is { Type: HttpAuth.Basic, User: not null })
            .WithErrorCode("invalid_user")
            .WithMessage($"A user has 1 to {HttpAuth.MaxLength} characters without a colon (RFC 7617).");
        RuleFor(auth => auth.TokenUrl).BelongsTo(HttpAuth.OAuth2, isRequired: true);
        RuleFor(auth => auth.TokenUrl)
            .IsUrl(addresses)
            .When(auth => auth is { Type: HttpAuth.OAuth2, TokenUrl: not null });
        RuleFor(auth => auth.ClientId).BelongsTo(HttpAuth.OAuth2, isRequired: true).MaximumLength(HttpAuth.MaxLength);
        RuleFor(auth => auth.Scope).BelongsTo(HttpAuth.OAuth2, isRequired: false).MaximumLength(HttpAuth.MaxLength);
        RuleFor(auth => auth.Audience).BelongsTo(HttpAuth.OAuth2, isRequired: false).MaximumLength(HttpAuth.MaxLength);
    }
}

internal sealed class PostgreSqlConfigRules : AbstractValidator<DatabaseConfig>
{
    public PostgreSqlConfigRules(AddressPolicy addresses) => this.AreOfDatabase(addresses, Protocol.PostgreSql);
}

internal sealed class MySqlConfigRules : AbstractValidator<DatabaseConfig>
{
    public MySqlConfigRules(AddressPolicy addresses) => this.AreOfDatabase(addresses, Protocol.MySql);
}

internal sealed class SmtpConfigRules : AbstractValidator<SmtpConfig>
{
    public SmtpConfigRules(AddressPolicy addresses)
    {
        RuleFor(config => config.Host).IsHost(addresses, Protocol.Smtp, config => config.PortOrUsual);
        RuleFor(config => config.User).IsWord(SmtpConfig.MaxUserLength).When(config => config.User is not null);
        RuleFor(config => config.From)
            .Must(from => Mail.ParseAddress(from) is not null)
            .WithErrorCode("invalid_address")
            .WithMessage("One address: help@shop.example or Shop <help@shop.example>.");
        RuleFor(config => config.Tls).IsTls(addresses, SmtpConfig.TlsModes, config => config.Host);
    }
}

internal sealed class S3ConfigRules : AbstractValidator<S3Config>
{
    public S3ConfigRules(AddressPolicy addresses)
    {
        RuleFor(config => config.Endpoint).IsBaseUrl(addresses);
        RuleFor(config => config.Region).IsWord(S3Config.MaxLength);
        RuleFor(config => config.Bucket)
            .Matches(S3Config.BucketForm[..^1] + "\\z") // or a line break may follow
            .WithErrorCode("invalid_bucket")
            .WithMessage("A bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens.");
        RuleFor(config => config.Bucket).NotNull();
        RuleFor(config => config.AccessKeyId).IsWord(S3Config.MaxLength);
    }
}

internal sealed class LlmConfigRules : AbstractValidator<LlmConfig>
{
    public LlmConfigRules(AddressPolicy addresses)
    {
        RuleFor(config => config.BaseUrl).IsBaseUrl(addresses);
        RuleFor(config => config.Model).IsWord(LlmConfig.MaxLength);
    }
}
