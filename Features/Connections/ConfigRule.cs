using Bellhop.Infrastructure.Outgoing;
using FluentValidation;
using FluentValidation.Results;

namespace Bellhop.Features.Connections;

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
