using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using FluentValidation;
using FluentValidation.Results;

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

/// <summary>Rules that several kinds share.</summary>
internal static class ConfigRule
{
    public static void AreOfDatabase(
        this AbstractValidator<DatabaseConfig> rules,
        AddressPolicy addresses,
        Protocol protocol
    )
    {
        rules.RuleFor(config => config.Host).IsHost(addresses, protocol, config => config.Port ?? protocol.Ports[0]);
        rules.RuleFor(config => config.Database).IsWord(DatabaseConfig.MaxLength);
        rules.RuleFor(config => config.User).IsWord(DatabaseConfig.MaxLength);
        rules.RuleFor(config => config.Tls).IsTls(addresses, DatabaseConfig.TlsModes, config => config.Host);
    }

    public static IRuleBuilderOptionsConditions<T, string?> IsUrl<T>(
        this IRuleBuilder<T, string?> rule,
        AddressPolicy addresses
    ) =>
        rule.Custom(
            (url, context) =>
            {
                if (url is null)
                {
                    context.Fail("required", $"{context.DisplayName} is required.");
                }
                else if (addresses.CheckUrl(url).ErrorCode is { } code)
                {
                    context.Fail(code, Reasons.Of(code));
                }
            }
        );

    /// <summary>A URL that paths are appended to.</summary>
    public static IRuleBuilderOptionsConditions<T, string?> IsBaseUrl<T>(
        this IRuleBuilder<T, string?> rule,
        AddressPolicy addresses
    )
    {
        rule.Must(url => url?.Contains('?', StringComparison.Ordinal) is not true)
            .WithErrorCode(OutgoingErrors.UrlInvalid)
            .WithMessage("Paths are appended to it: leave the query out.");
        return rule.IsUrl(addresses);
    }

    public static IRuleBuilderOptionsConditions<T, string?> IsHost<T>(
        this IRuleBuilder<T, string?> rule,
        AddressPolicy addresses,
        Protocol protocol,
        Func<T, int> port
    ) =>
        rule.Custom(
            (host, context) =>
            {
                if (addresses.CheckHost(protocol, host, port(context.InstanceToValidate)) is { } code)
                {
                    var isOfPort = code == OutgoingErrors.PortNotAllowed;
                    context.Fail(
                        code,
                        isOfPort ? Reasons.OfPort(protocol) : Reasons.Of(code),
                        isOfPort ? "port" : null
                    );
                }
            }
        );

    public static IRuleBuilderOptionsConditions<T, string> IsHost<T>(
        this IRuleBuilderInitialCollection<T, string> rule,
        AddressPolicy addresses,
        Protocol protocol,
        int port
    ) =>
        rule.Custom(
            (host, context) =>
            {
                if (addresses.CheckHost(protocol, host, port) is { } code)
                {
                    context.Fail(code, Reasons.Of(code));
                }
            }
        );

    public static IRuleBuilderOptions<T, string?> IsWord<T>(this IRuleBuilder<T, string?> rule, int maxLength) =>
        rule.Must(text => text is { Length: > 0 } && text.Length <= maxLength && !text.Any(char.IsControl))
            .WithErrorCode("out_of_range")
            .WithMessage(
                $"{{PropertyName}} is required: 1 to {maxLength} characters, none of them a control character."
            );

    /// <summary>One of the modes; without encryption only where plain text may be spoken.</summary>
    public static IRuleBuilderOptionsConditions<T, string?> IsTls<T>(
        this IRuleBuilder<T, string?> rule,
        AddressPolicy addresses,
        IReadOnlyList<string> modes,
        Func<T, string?> host
    ) =>
        rule.Custom(
            (mode, context) =>
            {
                if (mode is not null && !modes.Contains(mode, StringComparer.Ordinal))
                {
                    context.Fail("unknown_word", $"tls must be one of {string.Join(", ", modes)}.");
                }
                else if (mode == DatabaseConfig.Off && addresses.NeedsTls(host(context.InstanceToValidate) ?? ""))
                {
                    context.Fail(ConnectionErrors.PlainText, Reasons.Of(ConnectionErrors.PlainText));
                }
            }
        );

    /// <summary>A member that one type of auth has and the others do not.</summary>
    public static IRuleBuilderOptions<HttpAuth, string?> BelongsTo(
        this IRuleBuilder<HttpAuth, string?> rule,
        string type,
        bool isRequired
    ) =>
        rule.Must((auth, value) => auth.Type == type || value is null)
            .WithErrorCode("not_used")
            .WithMessage($"{{PropertyName}} belongs to the type {type}: leave it out.")
            .Must((auth, value) => !isRequired || auth.Type != type || value is { Length: > 0 })
            .WithErrorCode("required")
            .WithMessage($"{{PropertyName}} is required with the type {type}.");

    private static void Fail<T>(this ValidationContext<T> context, string code, string message, string? member = null)
    {
        var path = context.PropertyPath;
        var place = member is null ? path : path[..(path.LastIndexOf('.') + 1)] + member;
        context.AddFailure(new ValidationFailure(place, message) { ErrorCode = code });
    }
}
